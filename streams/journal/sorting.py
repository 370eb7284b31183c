"""
A sorter of one partition's events: what enters the journal, and what goes elsewhere.

Each input event ends as exactly one of: admitted, duplicate, dead letter, misplaced (it is moved to the
partition of its account), erased (it is of somebody who was erased after it occurred: it is dropped). A
record that can't be decoded is one dead letter. The events of an envelope are sorted one by one: an event
that becomes a dead letter or is misplaced leaves as a record of one event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import compress
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from processors.intake.admission import Admission, NotAdmitted, admit, identity
from processors.intake.columnar_admission import Names, usage_of
from processors.intake.erased_events import is_of_erased, not_erased, without_erased_owner
from schemas.codec.envelope import Envelopes
from schemas.codec.errors import SchemaError
from schemas.codec.record_codec import Codec, codec
from schemas.codec.registry import Registry
from schemas.identity.erasures import NOBODY, Erasures
from schemas.identity.keys import ALL_TENANTS, account_key, partition_of
from schemas.inputs import BY_TOPIC, INPUT_TOPICS, USAGE
from schemas.records import DeadLetter
from schemas.topics import MAX_RECORD_BYTES, Topics
from streams.journal.dead_letters import not_admitted, undecodable
from streams.journal.dedupe import DedupeWindow
from streams.journal.set_aside import SetAside
from streams.journal.sorted_events import MisplacedRecord, SortedEvents
from streams.journal.usage_reader import DecodedEvent, DecodedUsage, UsageReader
from streams.kafka.headers import INDEX_HEADER
from streams.kafka.record import KafkaRecord
from streams.kafka.record_batches import RawBatch

__all__ = ["EventSorter"]

_NO_TIME_LIMITS = Admission(horizon_ms=2**62, future_ms=2**62)


class EventSorter:
    """
    Decodes, admits and dedupes the records of one partition.

    ``topic_ids`` are Kafka's ids of the inputs, by topic without prefix, as far as they are known.
    ``erasures`` is asked for the list of who was erased, with true where a deletion was just read.
    """

    def __init__(
        self,
        topics: Topics,
        partition: int,
        registry: Registry,
        limits: Admission,
        window_events: int,
        erasures: Callable[[bool], Erasures] = lambda _: NOBODY,
    ) -> None:
        self.partition = partition
        self.window_events = window_events
        self.topic_ids: dict[str, bytes] = {}
        self._topics = topics
        self._registry = registry
        self._limits = limits
        self._erasures = erasures
        self._set_aside = SetAside()
        self._usage = UsageReader(registry, limits, partition, topics.partitions)
        self._envelopes = Envelopes(registry)
        self._codecs: dict[str, Codec[Any]] = {topic: codec(topic, registry) for topic in INPUT_TOPICS}
        self._windows = {topic: DedupeWindow(window_events) for topic in INPUT_TOPICS}

    def restorer(self, set_aside: SetAside) -> Self:
        """
        Return a sorter that fills the dedupe windows of this one with events that were sorted before.

        All that are not in *set_aside* were admitted, whatever the limits of time say of them today.
        """
        restorer = type(self)(
            self._topics,
            self.partition,
            self._registry,
            _NO_TIME_LIMITS,
            self.window_events,
            lambda _: self._erasures(False),
        )
        restorer._windows, restorer._set_aside = self._windows, set_aside  # noqa: SLF001 - its own
        return restorer

    def sort(self, batches: Iterable[RawBatch], now: int, into: SortedEvents | None = None) -> SortedEvents:
        """
        Sort the events of these batches, adding to *into* if it is given, and return them.

        Sort each record once only: its events are duplicates afterwards. *now* is the time that their journal
        batch will carry, or an earlier one.
        """
        into = SortedEvents() if into is None else into
        by_topic: dict[str, list[RawBatch]] = {}
        for batch in batches:
            by_topic.setdefault(self._topics.plain(batch.topic), []).append(batch)
        for topic, topic_batches in by_topic.items():
            before = into.total
            if topic == USAGE.topic:
                names = into.usage.names
                for decoded in self._usage.read(topic_batches, names, now):
                    into.usage.add(self._sort_usage(decoded, names, now, into))
            else:
                records = (record for batch in topic_batches for record in batch.records())
                self._sort_records(topic, records, now, into)
            into.read_by_topic[topic] += into.total - before
        return into

    def deduped_events(self, name: str) -> int:
        """Return how many events the dedupe window of an input holds; ``name`` is the topic's full name."""
        return len(self._windows[self._topics.plain(name)])

    def clear_window(self, name: str) -> None:
        """Empty the dedupe window of an input."""
        self._windows[self._topics.plain(name)].clear()

    def _sort_usage(self, decoded: DecodedUsage, names: Names, now: int, into: SortedEvents) -> NDArray[Any]:
        """Return the usage events that are new."""
        into.dead_letters += (
            self._undecodable(record, USAGE.topic, error, now) for record, error in decoded.refused
        )
        events = decoded.events
        if admitted := list(self._admitted(USAGE.topic, decoded.doubtful, now, into)):
            others = ((event.fields, event.record.offset, event.event_index) for event in admitted)
            events = np.concatenate((events, usage_of(others, names)))
            # Of two events with one id, the first one in the log is admitted.
            events = events[np.lexsort((events["place"], events["offset"]))]
        if self._set_aside:
            places = zip(events["offset"].tolist(), events["place"].tolist(), strict=True)
            events = events[[not self._set_aside.holds(USAGE.topic, *place) for place in places]]
        if erasures := self._erasures(False):
            kept = not_erased(events, names, erasures)
            into.erased += len(events) - int(kept.sum())
            events = events[kept]
        new = self._windows[USAGE.topic].claim(np.ascontiguousarray(events["identity"]))
        into.duplicates += len(events) - int(new.sum())
        return events if new.all() else events[new]

    def _sort_records(self, topic: str, records: Iterable[KafkaRecord], now: int, into: SortedEvents) -> None:
        decoded: list[DecodedEvent] = []
        for record in records:
            if self._set_aside.holds(topic, record.offset):
                continue
            try:
                decoded.append(DecodedEvent(record, 0, self._codecs[topic].decode_fields(record.value)))
            except SchemaError as error:
                into.dead_letters.append(self._undecodable(record, topic, error, now))
        events = [event.fields for event in self._admitted(topic, decoded, now, into)]
        ids = [identity(event["tenant"], event["source"], event["event_id"]) for event in events]
        new = self._windows[topic].claim(np.array(ids, np.uint64))
        into.duplicates += len(events) - int(new.sum())
        if new.any():
            into.events.setdefault(topic, []).extend(compress(events, new))

    def _admitted(
        self, topic: str, events: Iterable[DecodedEvent], now: int, into: SortedEvents
    ) -> Iterator[DecodedEvent]:
        """Yield the events that may enter the journal here; add the others to *into* as what they are."""
        everywhere = BY_TOPIC[topic].everywhere
        from_worker = BY_TOPIC[topic].written_by == "worker"
        for decoded in events:
            event, fields = decoded, decoded.fields
            erasures = self._erasures(bool(fields.get("deleted")))
            if erasures and not from_worker and is_of_erased(fields, erasures):
                into.erased += 1
                continue
            if erasures and "owner" in fields:
                fields = without_erased_owner(fields, erasures)
                event = decoded._replace(fields=fields)
            for_all_tenants = everywhere and fields["tenant"] == ALL_TENANTS
            # ALL_TENANTS is no tenant's name: such an event is judged as if it were of some tenant.
            judged = fields | {"tenant": "every"} if for_all_tenants else fields
            refusal = admit(judged, now, self._limits)
            if refusal is None or refusal.reason != "invalid":
                key = account_key(fields["tenant"], fields["account_id"])
                partition = partition_of(key, self._topics.partitions)
                if partition != self.partition and not everywhere:
                    record = self._alone(topic, event)
                    if (size := record.nbytes) <= MAX_RECORD_BYTES:
                        into.misplaced.append(MisplacedRecord(record.topic, partition, key, record))
                        continue
                    what = f"its account is on partition {partition}, and {size} bytes are too many to move"
                    refusal = NotAdmitted("invalid", what, None)
                if refusal is None:
                    yield event
                    continue
            topic_id = self.topic_ids.get(topic, b"")
            letter = not_admitted(self._alone(topic, event), topic, refusal, now, event, topic_id)
            into.dead_letters.append(letter)

    def _undecodable(self, record: KafkaRecord, topic: str, error: SchemaError, now: int) -> DeadLetter:
        return undecodable(record, topic, error, now, self.topic_ids.get(topic, b""))

    def _alone(self, topic: str, event: DecodedEvent) -> KafkaRecord:
        """Return an event as a record of its own, with its index where it came in an envelope."""
        record, fields = event.record, event.fields
        if topic != USAGE.topic or not self._envelopes.holds(record.value):
            return record
        return record._replace(
            key=account_key(fields["tenant"], fields["account_id"]),
            value=self._envelopes.single(fields),
            headers=[*record.headers, (INDEX_HEADER, str(event.event_index).encode())],
        )
