"""Counters of a tenant's own: the profile event that counts a usage event. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.records import OWN_SOURCE, AccountProfile, UsageEvent

__all__ = ["count_of"]


def count_of(event: UsageEvent, counters: Mapping[str, str]) -> AccountProfile | None:
    """
    Return the event that adds one to every counter whose name or feature this event has; ``None`` for none.

    ``counters`` maps a counter to what it counts. The id is derived from the event's, so that a retry counts
    once.
    """
    counted = {name: 1 for name, what in counters.items() if what in (event.name, event.feature)}
    if not counted:
        return None
    return AccountProfile(
        event_id=f"count of {event.source} {event.event_id}",
        tenant=event.tenant,
        account_id=event.account_id,
        source=OWN_SOURCE,
        occurred_at=event.occurred_at,
        received_at=event.received_at,
        counted=counted,
        user_id=event.user_id,
    )
