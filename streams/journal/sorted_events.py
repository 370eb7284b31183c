"""The events of one partition, sorted by what becomes of them, and the journal batch that they make."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from processors.intake.usage_rollup import UsageRollup
from schemas.inputs import BY_TOPIC
from schemas.records import DeadLetter, JournalBatch, SourceRange
from streams.kafka.record import KafkaRecord

__all__ = ["MisplacedRecord", "SortedEvents"]

_RECORD_BYTES = 2_000
"""Memory of a decoded event, or of a record on its way elsewhere without its value, about."""


class MisplacedRecord(NamedTuple):
    """A record to be moved to the partition of its account, which ``key`` is the key of."""

    topic: str
    partition: int
    key: bytes
    record: KafkaRecord


@dataclass(slots=True)
class SortedEvents:
    """
    Events read from one partition's inputs.

    ``usage`` holds the admitted usage events, rolled up; ``events`` all other admitted events, as decoded
    fields by topic without prefix. ``erased`` counts those of somebody who was erased, which are dropped.
    ``read_by_topic`` counts all events read, whatever became of them.
    """

    usage: UsageRollup = field(default_factory=UsageRollup)
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    misplaced: list[MisplacedRecord] = field(default_factory=list)
    duplicates: int = 0
    erased: int = 0
    read_by_topic: Counter[str] = field(default_factory=Counter)

    @property
    def admitted(self) -> int:
        """The number of events that enter the journal."""
        return self.usage.events + sum(map(len, self.events.values()))

    @property
    def total(self) -> int:
        """The number of events read, whatever became of them; a record that holds none counts as one."""
        elsewhere = len(self.dead_letters) + len(self.misplaced)
        return self.admitted + self.duplicates + self.erased + elsewhere

    @property
    def nbytes(self) -> int:
        """The memory that they take, in bytes, about."""
        elsewhere = sum(len(letter.value or b"") for letter in self.dead_letters)
        elsewhere += sum(len(moved.record.value or b"") for moved in self.misplaced)
        counted = sum(map(len, self.events.values())) + len(self.dead_letters) + len(self.misplaced)
        return self.usage.nbytes + _RECORD_BYTES * counted + elsewhere

    def halves(self) -> tuple[SortedEvents, SortedEvents]:
        """
        Split events that are too many for one journal record; all but events stay with the first half.

        Raises ValueError when there is nothing to split.
        """
        cells = len(self.usage.cells)
        room = (cells + sum(map(len, self.events.values()))) // 2
        taken = min(room, cells)
        usage = self.usage.split_at(taken) if room else self.usage.halved()
        first = SortedEvents(
            usage[0],
            {},
            self.dead_letters,
            self.misplaced,
            self.duplicates,
            self.erased,
            self.read_by_topic,
        )
        second, room = SortedEvents(usage[1]), room - taken
        for topic, events in self.events.items():
            taken = min(room, len(events))
            room -= taken
            first.events[topic], second.events[topic] = events[:taken], events[taken:]
        return first, second

    def batch(self, sequence: int, written_at: int, offsets: list[SourceRange]) -> JournalBatch:
        """Return the journal batch of these events, without their usage, which is written as cells."""
        events_by_field: dict[str, Any] = {
            BY_TOPIC[topic].batch_field: [msgspec.convert(event, BY_TOPIC[topic].record) for event in events]
            for topic, events in self.events.items()
        }
        return JournalBatch(
            sequence=sequence,
            written_at=written_at,
            offsets=offsets,
            duplicates=self.duplicates,
            dead_letters=len(self.dead_letters),
            moved=len(self.misplaced),
            erased=self.erased,
            **events_by_field,
        )
