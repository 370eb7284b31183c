"""
Daily use of a metered destination: the requests that a sink's group made on this UTC day.

Each member adds its requests to the count beside the offset of one of its partitions, and the counts of all
partitions make the use of the group. A kill loses what was sent after the last commit.
"""

from __future__ import annotations

import time
from collections.abc import Collection

from confluent_kafka import Consumer

from sinks.port import DailyUse, Metered
from streams.delivery.offsets import committed_notes
from streams.kafka.log_position import Part

__all__ = ["DailyUseCounter", "group_use"]

_REFRESH_SECONDS = 30.0
"""Time after which a member looks again what the others have used."""


def group_use(consumer: Consumer, parts: Collection[Part]) -> DailyUse:
    """Return how many requests a group made on its newest day of use; raise KafkaException."""
    return _sum(_uses(consumer, parts).values())


class DailyUseCounter:
    """Counter of one member's requests; ``notes`` are committed beside the offsets of its partitions."""

    def __init__(self, sink: Metered, parts: Collection[Part]) -> None:
        self._sink, self._parts = sink, parts
        self._uses: dict[Part, DailyUse] = {}
        self._counted = DailyUse(0, 0)
        self._refreshed_at = 0.0

    @property
    def notes(self) -> dict[Part, str]:
        """The counts beside the offsets of this member's partitions."""
        return {part: f"{use.day}:{use.requests}" for part, use in self._uses.items()}

    def count(self, written: Collection[Part]) -> Part | None:
        """Add the requests since the last time to the count of a part that can be committed; return it."""
        used = self._sink.used()
        before = self._counted.requests if self._counted.day == used.day else 0
        if used.requests <= before or not written:
            return None
        part = min(written)
        its = self._uses.get(part, used)
        requests = its.requests if part in self._uses and its.day == used.day else 0
        self._uses[part] = DailyUse(used.day, requests + used.requests - before)
        self._counted = used
        return part

    def refresh(self, consumer: Consumer, owned: Collection[Part], *, assigned: bool = False) -> None:
        """Let the sink know what its whole group has used; raise KafkaException."""
        if not assigned and time.monotonic() - self._refreshed_at < _REFRESH_SECONDS:
            return
        self._refreshed_at = time.monotonic()
        uses = _uses(consumer, self._parts)
        if assigned:
            self._uses = {part: uses[part] for part in owned if part in uses}
        total, used = _sum((uses | self._uses).values()), self._sink.used()
        uncounted = used.requests - (self._counted.requests if self._counted.day == used.day else 0)
        if total.day < used.day:
            total = DailyUse(used.day, 0)
        self._counted = total
        self._sink.group_used(
            DailyUse(total.day, total.requests + (uncounted if total.day == used.day else 0))
        )


def _uses(consumer: Consumer, parts: Collection[Part]) -> dict[Part, DailyUse]:
    found = {}
    for part, note in committed_notes(consumer, parts).items():
        day, _, requests = note.partition(":")
        if day.isdecimal() and requests.isdecimal():
            found[part] = DailyUse(int(day), int(requests))
    return found


def _sum(uses: Collection[DailyUse]) -> DailyUse:
    day = max((use.day for use in uses), default=0)
    return DailyUse(day, sum(use.requests for use in uses if use.day == day))
