"""
Sort the events of one partition into what enters the journal and what doesn't.

Each input event ends as exactly one of: admitted, duplicate, dead letter, moved to the partition its
account belongs to; a record that can't be decoded is one dead letter. Of an envelope each event goes its
own way: what is set aside or moved leaves as a record of one event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from processors.intake.admission import Admission, NotAdmitted, admit, identity
from processors.intake.columnar_admission import Names, usage_of
from processors.intake.usage_rollup import UsageRollup
from schemas.codec.envelope import Envelopes
from schemas.codec.errors import EnvelopeTooLargeError, SchemaError, UnknownSchemaError
from schemas.codec.record_codec import Codec, codec
from schemas.codec.registry import Registry
from schemas.identity.keys import ALL_TENANTS, account_key, partition_of
from schemas.inputs import BY_TOPIC, INPUT_TOPICS, USAGE
from schemas.records import DeadLetter, JournalBatch, SourceRange, dead_letters
from schemas.topics import Topics
from streams.journal.dedupe import DedupeWindow
from streams.journal.usage_reader import Arrival, Decoded, UsageReader
from streams.kafka.clients import Record
from streams.kafka.headers import INDEX_HEADER
from streams.kafka.record_batches import RawBatch

__all__ = ["Intake", "SortedEvents"]

_USAGE = USAGE.topic
_RECORD_BYTES = 2_000
"""Of a decoded event or a record set aside, about."""


@dataclass(slots=True)
class SortedEvents:
    """
    The events of one partition, sorted.

    ``usage`` are the usage events, rolled up, ``events`` is everything else by topic without prefix, as
    decoded fields.
    ``read`` counts all of them by topic.
    """

    usage: UsageRollup = field(default_factory=UsageRollup)
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    dead: list[DeadLetter] = field(default_factory=list)
    moved: list[tuple[str, int, bytes, Record]] = field(default_factory=list)
    duplicates: int = 0
    read: Counter[str] = field(default_factory=Counter)

    @property
    def admitted(self) -> int:
        """The number of events that enter the journal."""
        return self.usage.events + sum(map(len, self.events.values()))

    @property
    def total(self) -> int:
        """The number of events read, whatever became of them; a record that holds none counts as one."""
        return self.admitted + self.duplicates + len(self.dead) + len(self.moved)

    @property
    def nbytes(self) -> int:
        """About how much memory it holds, in bytes."""
        return self.usage.nbytes + _RECORD_BYTES * (
            sum(map(len, self.events.values())) + len(self.dead) + len(self.moved)
        )

    def halves(self) -> tuple[SortedEvents, SortedEvents]:
        """
        Split a batch that is too large; counts and side records stay with the first half.

        Raises ValueError when there is nothing to split.
        """
        cells = len(self.usage.cells)
        room = (cells + sum(map(len, self.events.values()))) // 2
        taken = min(room, cells)
        usage = self.usage.parted(taken) if room else self.usage.divided()
        first = SortedEvents(usage[0], {}, self.dead, self.moved, self.duplicates, self.read)
        second, room = SortedEvents(usage[1]), room - taken
        for topic, events in self.events.items():
            taken = min(room, len(events))
            room -= taken
            first.events[topic], second.events[topic] = events[:taken], events[taken:]
        return first, second

    def batch(self, sequence: int, written_at: int, offsets: list[SourceRange]) -> JournalBatch:
        """Return the journal batch of these records, without their usage."""
        others: dict[str, Any] = {
            BY_TOPIC[topic].batch_field: [msgspec.convert(event, BY_TOPIC[topic].record) for event in events]
            for topic, events in self.events.items()
        }
        return JournalBatch(
            sequence=sequence,
            written_at=written_at,
            offsets=offsets,
            duplicates=self.duplicates,
            dead_letters=len(self.dead),
            moved=len(self.moved),
            **others,
        )


class Intake:
    """Decode, place, admit and dedupe the records of one partition."""

    def __init__(
        self,
        topics: Topics,
        partition: int,
        registry: Registry,
        limits: Admission,
        window_events: int,
    ) -> None:
        self._topics = topics
        self._partition = partition
        self._limits = limits
        self._usage = UsageReader(registry, limits, partition, topics.partitions)
        self._envelopes = Envelopes(registry)
        self._codecs: dict[str, Codec[Any]] = {topic: codec(topic, registry) for topic in INPUT_TOPICS}
        self._windows = {topic: DedupeWindow(window_events) for topic in INPUT_TOPICS}

    def sort(self, batches: Iterable[RawBatch], now: int, result: SortedEvents | None = None) -> SortedEvents:
        """
        Sort events, adding to a *result* that is given; call once per record, as it claims ids.

        *now* is the time their batch will carry, or before that.
        """
        result = result or SortedEvents()
        by_topic: dict[str, list[RawBatch]] = {}
        for batch in batches:
            by_topic.setdefault(self._topics.plain(batch.topic), []).append(batch)
        for topic, given in by_topic.items():
            before = result.total
            if topic == _USAGE:
                names = result.usage.names
                parts = self._usage.read(given, names, now)
                for part in parts:
                    result.usage.add(self._sort_usage(part, names, now, result))
            else:
                self._sort_rows(topic, (record for batch in given for record in batch.records()), now, result)
            result.read[topic] += result.total - before
        return result

    def remembered(self, name: str) -> int:
        """Return how many ids the dedupe window of an input holds."""
        return len(self._windows[self._topics.plain(name)])

    def forget(self, name: str) -> None:
        """Empty the dedupe window of an input."""
        self._windows[self._topics.plain(name)].clear()

    def _sort_usage(self, part: Decoded, names: Names, now: int, result: SortedEvents) -> NDArray[Any]:
        """Return the new events."""
        result.dead += (_undecodable(record, _USAGE, error, now) for record, error in part.refused)
        events = part.events
        if admitted := list(self._admitted(_USAGE, part.doubtful, now, result)):
            others = usage_of(((each.fields, each.record.offset, each.place) for each in admitted), names)
            events = np.concatenate((events, others))
            # Of two events with one id the first one in the log stays.
            events = events[np.lexsort((events["place"], events["offset"]))]
        new = self._windows[_USAGE].claim(np.ascontiguousarray(events["identity"]))
        result.duplicates += len(events) - int(new.sum())
        return events if new.all() else events[new]

    def _sort_rows(self, topic: str, records: Iterable[Record], now: int, result: SortedEvents) -> None:
        arrivals: list[Arrival] = []
        for record in records:
            try:
                arrivals.append(Arrival(record, 0, self._codecs[topic].decode_fields(record.value)))
            except SchemaError as error:
                result.dead.append(_undecodable(record, topic, error, now))
        events = [event.fields for event in self._admitted(topic, arrivals, now, result)]
        ids = [identity(event["tenant"], event["source"], event["event_id"]) for event in events]
        new = self._windows[topic].claim(np.array(ids, np.uint64))
        result.duplicates += len(events) - int(new.sum())
        if new.any():
            result.events.setdefault(topic, []).extend(compress(events, new))

    def _admitted(
        self, topic: str, arrivals: Iterable[Arrival], now: int, result: SortedEvents
    ) -> Iterator[Arrival]:
        """Yield the events that may enter the journal here; set aside and move the others one by one."""
        everywhere = BY_TOPIC[topic].everywhere
        for arrival in arrivals:
            event = arrival.fields
            everyones = everywhere and event["tenant"] == ALL_TENANTS
            refusal = admit(event | {"tenant": "every"} if everyones else event, now, self._limits)
            if refusal is None or refusal.reason != "invalid":
                key = account_key(event["tenant"], event["account_id"])
                partition = partition_of(key, self._topics.partitions)
                if partition != self._partition and not everywhere:
                    record = self._alone(topic, arrival)
                    result.moved.append((record.topic, partition, key, record))
                    continue
                if refusal is None:
                    yield arrival
                    continue
            result.dead.append(_refused(self._alone(topic, arrival), topic, refusal, now, arrival))

    def _alone(self, topic: str, arrival: Arrival) -> Record:
        """Return an event as a record of its own; one from an envelope is marked with its place therein."""
        record, event = arrival.record, arrival.fields
        if topic != _USAGE or not self._envelopes.holds(record.value):
            return record
        return record._replace(
            key=account_key(event["tenant"], event["account_id"]),
            value=self._envelopes.single(event),
            headers=[*record.headers, (INDEX_HEADER, str(arrival.place).encode())],
        )


def _undecodable(record: Record, topic: str, error: SchemaError, now: int) -> DeadLetter:
    match error:
        case UnknownSchemaError():
            refusal = NotAdmitted("unknown_schema", str(error), None)
        case EnvelopeTooLargeError():
            refusal = NotAdmitted("invalid", str(error), "/events")
        case _:
            refusal = NotAdmitted("undecodable", str(error), None)
    return _refused(record, topic, refusal, now)


def _refused(
    record: Record, topic: str, refusal: NotAdmitted, now: int, arrival: Arrival | None = None
) -> DeadLetter:
    return dead_letters.of_record(
        reason=refusal.reason,
        detail=refusal.detail,
        pointer=refusal.pointer,
        topic=topic,
        partition=record.partition,
        offset=record.offset,
        index=0 if arrival is None else arrival.place,
        key=record.key,
        value=record.value,
        headers=dict(record.headers),
        producer=arrival.fields["source"] if arrival else None,
        tenant=arrival.fields["tenant"] if arrival else None,
        failed_at=now,
    )
