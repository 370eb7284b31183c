"""The interval of empty journal batches: short after events, longer the longer none has come."""

from __future__ import annotations

from streams.settings import JournalSettings

__all__ = ["idle_interval"]

_SHARE = 0.1


def idle_interval(settings: JournalSettings, since_events: float) -> float:
    """
    Return the seconds after which a partition without events gets the next empty batch.

    ``since_events`` is the time without events, in seconds. The interval is a tenth of that, within
    ``idle_seconds`` and ``most_idle_seconds``: what time alone changes is late by a tenth of the time that it
    waited for, and an idle partition grows by a bounded number of bytes a day.
    """
    return min(settings.most_idle_seconds, max(settings.idle_seconds, _SHARE * since_events))
