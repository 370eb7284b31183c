"""A packer of sorted events into journal records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from schemas.codec.journal_batch import JournalWriter
from schemas.codec.registry import Registry
from schemas.records import SourceRange
from schemas.topics import MAX_RECORD_BYTES, Topics
from streams.journal.sorted_events import SortedEvents

__all__ = ["JournalPacker", "PackedBatch"]


class PackedBatch(NamedTuple):
    """A journal batch as the value of its record, and the events in it."""

    events: SortedEvents
    value: bytes


class JournalPacker:
    """Encodes journal batches; events that are too many for one record become several batches."""

    def __init__(self, topics: Topics, registry: Registry) -> None:
        self._topics = topics
        self._writer = JournalWriter(registry)

    def pack(
        self,
        events: SortedEvents,
        sequence: int,
        written_at: int,
        starts: Mapping[str, int],
        ends: Mapping[str, int],
    ) -> list[PackedBatch]:
        """
        Return the batches of these events, in order, numbered from *sequence*.

        ``starts`` and ``ends`` are the offsets between which each input was read. Of several batches only the
        last says that they were. Raises ValueError when a single event is too large for a record.
        """
        ranges = [
            SourceRange(topic=self._topics.plain(name), first=first, next=ends.get(name, first))
            for name, first in starts.items()
        ]
        cells = events.usage.rolled_up().encode()
        value = self._writer.write(events.batch(sequence, written_at, ranges), cells)
        if len(value) <= MAX_RECORD_BYTES:
            return [PackedBatch(events, value)]
        first_half, second_half = events.halves()
        first = self.pack(first_half, sequence, written_at, starts, starts)
        return first + self.pack(second_half, sequence + len(first), written_at, starts, ends)
