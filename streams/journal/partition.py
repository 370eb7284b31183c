"""Writer of one journal partition: its position, its dedupe windows and its transactions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import structlog
from confluent_kafka import TopicPartition

from schemas.identity.erasures import NOBODY, Erasures
from schemas.inputs import INPUT_TOPICS
from schemas.times import MINUTE
from streams.journal import metrics
from streams.journal.clock import JournalClock
from streams.journal.input_faults import InputFaults
from streams.journal.packing import JournalPacker, PackedBatch
from streams.journal.restore import (
    applied_journal,
    input_positions,
    require_applied_journal,
    restore_dedupe_windows,
)
from streams.journal.set_aside import read_set_aside
from streams.journal.sorted_events import SortedEvents
from streams.journal.sorting import EventSorter
from streams.kafka.cluster import Cluster
from streams.kafka.fetcher import RecordBatchFetcher
from streams.kafka.headers import MOVED_HEADER
from streams.kafka.log_faults import LogFault
from streams.kafka.log_inspector import LogInspector
from streams.kafka.log_position import LOGS_HEADER, LogPosition, Part, encode_positions
from streams.kafka.log_reader import last_record
from streams.kafka.record import END_KEY
from streams.kafka.record_batches import RawBatch
from streams.kafka.transactional_producer import TransactionalProducer
from streams.pacing.idle import idle_interval
from streams.settings import JournalSettings

__all__ = ["JournalPartition"]

log = structlog.get_logger(__name__)


class JournalPartition:
    """
    State of one partition of the journal in the process that writes it.

    Making it fences every earlier owner, then restores the position from the journal's last record: sequence
    number, time, and the offset to read next of each input. Times are UTC milliseconds; *wall_time* is
    ``None`` where a simulation's clock is followed. Raises LogChangedError where the journal is not the one
    that the worker has applied; what happened to an input goes to *faults*. ``journal_end`` is the end
    of the journal as it was found, and then as this has written it.
    """

    def __init__(
        self,
        cluster: Cluster,
        number: int,
        settings: JournalSettings,
        faults: InputFaults,
        erasures: Callable[[bool], Erasures] = lambda _: NOBODY,
    ) -> None:
        self.number = number
        self._settings = settings
        self._topics = cluster.topics
        self._journal = cluster.topics.name("account.journal")
        self._dead_letters = cluster.topics.name("events.deadletter")
        self._dead_letter_codec = cluster.codec("events.deadletter")
        self._packer = JournalPacker(cluster.topics, cluster.registry)
        self._sorter = EventSorter(
            cluster.topics, number, cluster.registry, settings.admission(), settings.dedupe_events, erasures
        )
        # Fence first: before that, a dead owner's open transaction would hide the journal's end.
        self.producer = TransactionalProducer(
            cluster.connection, f"{cluster.topics.prefix}bellbuoy-journal-{number}"
        )
        self.clock = JournalClock(number, settings.clock_tolerance_minutes * MINUTE, self._ask_broker_time)
        self._sequence, self._written_at = -1, 0
        self._next_offsets = {cluster.topics.name(topic): 0 for topic in INPUT_TOPICS}
        self._topic_ids = dict.fromkeys(self._next_offsets, b"")
        self._epochs = dict.fromkeys(self._next_offsets, -1)
        self._faults = faults
        self.journal_end = LogPosition(0)
        self._last_tick = 0
        self._last_write = self._last_events = time.monotonic()
        self._before_first_tick: list[RawBatch] = []
        self._gathered = SortedEvents()
        self._gathered_ends: dict[str, int] = {}
        if settings.clock == "simulated":
            # The inputs may be read before the clock's topic, so start from its newest tick.
            newest = last_record(cluster.connection, cluster.topics.name("simulation.clock"), number)
            self._last_tick = cluster.codec("simulation.clock").decode(newest.value).now if newest else 0
        self._restore(cluster)

    def _restore(self, cluster: Cluster) -> None:
        inspector = LogInspector(cluster.connection)
        self.producer.close_log(inspector, (self._journal, self.number))
        self.producer.suspect(
            (name, number) for name in self._next_offsets for number in range(self._topics.partitions)
        )
        self.producer.suspect([(self._dead_letters, self.number)])
        last = last_record(cluster.connection, self._journal, self.number)
        read: dict[str, LogPosition] = {}
        if last is not None:
            batch = cluster.codec("account.journal").decode(last.value)
            self._sequence, self._written_at = batch.sequence, batch.written_at
            read = {self._topics.name(t): p for t, p in input_positions(batch, last.headers).items()}
        if (journal := inspector.topics([self._journal]).get(self._journal)) is not None:
            self.journal_end = LogPosition(last.offset + 1 if last else 0, journal.topic_id)
        applied = applied_journal(cluster, self.number)
        require_applied_journal(
            self._journal, self.number, applied, self._sequence, self.journal_end.topic_id
        )
        self._follow_inputs(inspector, read)
        if last is None:
            return
        restorer = self._sorter.restorer(read_set_aside(cluster, self.number, self._sorter.topic_ids))
        fetcher = RecordBatchFetcher(cluster.connection, checked=False)
        try:
            restore_dedupe_windows(fetcher, restorer, self._next_offsets)
        finally:
            fetcher.close()

    def _follow_inputs(self, inspector: LogInspector, read: Mapping[str, LogPosition]) -> None:
        """Go on in each input where it was left or its log has what is new; read others from the start."""
        topics = inspector.topics(self._next_offsets)
        starts = inspector.starts((name, self.number) for name in topics)
        for name in self._next_offsets:
            position = read.get(name, LogPosition(starts.get((name, self.number), 0)))
            if not position.topic_id and name in topics:
                position = position._replace(topic_id=topics[name].topic_id)
            self._move(name, position)
        positions = {(name, self.number): position for name, position in read.items()}
        faults = inspector.inspect(positions, self._topics.partitions).faults
        self._faults.standing([fault for fault in faults if not fault.can_be_read_on])
        for fault in faults:
            if fault.can_be_read_on:
                self._faults.handled(fault)
                self._move(fault.topic, fault.resume)

    def _move(self, name: str, position: LogPosition) -> None:
        self._next_offsets[name], self._topic_ids[name], self._epochs[name] = position[0], *position[1:]
        self._sorter.topic_ids[self._topics.plain(name)] = position.topic_id

    @property
    def sequence(self) -> int:
        """The number of the last batch written; -1 before the first."""
        return self._sequence

    @property
    def gathered_events(self) -> int:
        """How many events are read and not written yet."""
        return self._gathered.total

    @property
    def gathered_bytes(self) -> int:
        """The memory that the gathered events take, in bytes, about."""
        return self._gathered.nbytes

    def positions(self) -> list[TopicPartition]:
        """Return the offset to read next of each input, to be committed to the group for lag tools."""
        return [
            TopicPartition(name, self.number, offset) for name, offset in self._next_offsets.items() if offset
        ]

    def read_positions(self) -> dict[Part, LogPosition]:
        """Return how far each input is read, what is gathered included."""
        ends = self._next_offsets | self._gathered_ends
        return {
            (name, self.number): LogPosition(offset, self._topic_ids[name], self._epochs[name])
            for name, offset in ends.items()
        }

    def dispel(self, fault: LogFault) -> bool:
        """
        Go on in an input from where its log has what is new; return whether the fault holds here.

        The positions may have moved on since the fault was found. Call with nothing gathered.
        """
        position = self.read_positions()[fault.topic, self.number]
        known = position.topic_id == fault.position.topic_id and position.epoch == fault.position.epoch
        if fault.kind == "made_anew":
            known = position.topic_id == fault.position.topic_id
        if fault.kind == "head_gone":
            known = known and position.offset < fault.resume.offset
        if known:
            self._faults.handled(fault)
            self._move(fault.topic, fault.resume)
        return known

    def tick(self, now: int) -> None:
        """Set the simulation's clock to *now*, unless it is later already."""
        self._last_tick = max(self._last_tick, now)

    def empty_batch_due(self, wall_time: int | None) -> bool:
        """Return whether to write a batch without events: for time to go on, or for a transaction's end."""
        if self.producer.ends_due and self._sequence >= 0:
            return True
        if wall_time is None:
            return self._last_tick > self._written_at
        since_events = self._last_write - self._last_events
        return time.monotonic() - self._last_write >= idle_interval(self._settings, since_events)

    def gather(self, batches: Sequence[RawBatch], wall_time: int) -> None:
        """Add the events of these batches to the batch that is written next; skip what was read already."""
        fresh = []
        for batch in batches:
            if batch.first >= self._gathered_ends.get(batch.topic, self._next_offsets[batch.topic]):
                self._gathered_ends[batch.topic] = batch.end
                self._epochs[batch.topic] = batch.epoch
                fresh.append(batch)
        self._sorter.sort(fresh, max(self._written_at, wall_time), self._gathered)

    def write(self, batches: Sequence[RawBatch], wall_time: int | None) -> int:
        """
        Write a batch of these events and those gathered, empty when there are none, in one transaction.

        Return the sequence number at which the journal ends afterwards. What was read already is skipped.
        Raises FencedError, KafkaException and LogChangedError; after any, this object must not be used again.
        """
        now = max(self._written_at, self._last_tick if wall_time is None else wall_time)
        batches = [*self._before_first_tick, *batches]
        if now == 0:  # the simulation has not said yet what time it is
            self._before_first_tick = batches
            return self._sequence
        self._before_first_tick = []
        began = time.perf_counter()
        self.gather(batches, now)
        ends = self._next_offsets | self._gathered_ends
        packed = self._packer.pack(self._gathered, self._sequence + 1, now, self._next_offsets, ends)
        self.producer.begin()
        for batch in packed:
            self._produce(batch)
        self.producer.commit()
        self.journal_end = self.producer.written_end(
            (self._journal, self.number), self.journal_end, "journal"
        )
        self.clock.tell(self.producer.appended_at)
        self._sequence, self._written_at, self._next_offsets = self._sequence + len(packed), now, ends
        self._gathered, self._gathered_ends = SortedEvents(), {}
        self._last_write = time.monotonic()
        if any(batch.events.total for batch in packed):
            self._last_events = self._last_write
        self._count(packed, time.perf_counter() - began)
        return self._sequence

    def _produce(self, batch: PackedBatch) -> None:
        for letter in batch.events.dead_letters:
            value = self._dead_letter_codec.encode(letter)
            self.producer.produce(self._dead_letters, value, letter.id.encode(), self.number)
        for topic, partition, key, record in batch.events.misplaced:
            moved = [*record.headers, (MOVED_HEADER, str(self.number).encode())]
            self.producer.produce(topic, record.value, key, partition, moved)
        logs = (LogPosition(0, self._topic_ids[n], self._epochs[n]) for n in self._next_offsets)
        headers = [(LOGS_HEADER, encode_positions(logs))]
        self.producer.produce(self._journal, batch.value, None, self.number, headers, tracked=True)

    def _ask_broker_time(self) -> int | None:
        """Return the time of the journal's broker, as it says of a record in an aborted transaction."""
        self.producer.appended_at = None
        self.producer.begin()
        self.producer.produce(self._journal, None, END_KEY, self.number, tracked=True)
        self.producer.abort()
        return self.producer.appended_at

    def _count(self, packed: list[PackedBatch], seconds: float) -> None:
        metrics.TRANSACTION_SECONDS.observe(seconds)
        kind = "events" if any(batch.events.admitted for batch in packed) else "empty"
        metrics.BATCHES.labels(kind=kind).inc(len(packed))
        metrics.WRITTEN_AT.labels(partition=self.number).set(self._written_at / 1000)
        for events, _ in packed:
            for topic, count in events.read_by_topic.items():
                metrics.CONSUMED.labels(topic=topic).inc(count)
            metrics.DUPLICATES.inc(events.duplicates)
            metrics.ERASED.inc(events.erased)
            metrics.MISPLACED.inc(len(events.misplaced))
            for letter in events.dead_letters:
                metrics.DEAD_LETTERS.labels(topic=letter.topic, reason=letter.reason).inc()
                log.info(
                    "Dead letter written.",
                    topic=letter.topic,
                    partition=letter.partition,
                    offset=letter.offset,
                    reason=letter.reason,
                    detail=letter.detail,
                    id=letter.id,
                )
