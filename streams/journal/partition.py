"""One partition of the journal: its position, its dedupe windows and its transactions."""

from __future__ import annotations

import time
from dataclasses import replace

import structlog
from confluent_kafka import TopicPartition

from processors.intake.admission import Admission
from schemas.codec.journal_batch import JournalWriter
from schemas.codec.record_codec import codec
from schemas.codec.registry import Registry
from schemas.inputs import INPUT_TOPICS
from schemas.records import SourceRange
from schemas.times import DAY, MINUTE
from schemas.topics import MAX_MESSAGE_BYTES, Topics
from streams.journal import metrics
from streams.journal.sorting import Intake, SortedEvents
from streams.kafka.clients import Transactions, tail
from streams.kafka.headers import MOVED_HEADER
from streams.kafka.record_batches import BatchReader, RawBatch
from streams.settings import JournalSettings

__all__ = ["JournalPartition"]

log = structlog.get_logger(__name__)
_SILENT_SECONDS = 10.0
_FIRST_REACH = 2_000
_ROOM = MAX_MESSAGE_BYTES - 65_536


class JournalPartition:
    """
    What one process needs to write one partition of the journal.

    Making it fences every earlier owner, then reads where the journal ends: sequence, time and the
    offset read next of each input.
    """

    def __init__(
        self, bootstrap: str, topics: Topics, partition: int, settings: JournalSettings, registry: Registry
    ) -> None:
        self._topics = topics
        self._partition = partition
        self._settings = settings
        self._journal = topics.name("account.journal")
        self._dead = topics.name("events.deadletter")
        self._batch = codec("account.journal", registry)
        self._writer = JournalWriter(registry)
        self._letter = codec("events.deadletter", registry)
        limits = Admission(settings.horizon_days * DAY, settings.future_minutes * MINUTE)
        self._intake = Intake(topics, partition, registry, limits, settings.dedupe_events)
        # Fence first: before it, a dead owner's open transaction would hide the journal's end.
        self._transactions = Transactions(bootstrap, f"{topics.prefix}bellbuoy-journal-{partition}")
        self._sequence, self._written_at = -1, 0
        self._next = {topics.name(topic): 0 for topic in INPUT_TOPICS}
        self._ticked_at = 0
        self._wrote = time.monotonic()
        self._held: list[RawBatch] = []
        self._gathered = SortedEvents()
        self._ends: dict[str, int] = {}
        if settings.clock == "simulated":
            # The inputs may come before the clock's topic: start from its newest tick, not from none.
            newest = tail(bootstrap, topics.name("simulation.clock"), partition)
            self._ticked_at = codec("simulation.clock", registry).decode(newest.value).now if newest else 0
        self._restore(bootstrap)

    def _restore(self, bootstrap: str) -> None:
        last = tail(bootstrap, self._journal, self._partition)
        if last is None:
            return
        batch = self._batch.decode(last.value)
        self._sequence, self._written_at = batch.sequence, batch.written_at
        for covered in batch.offsets:
            self._next[self._topics.name(covered.topic)] = covered.next
        self._remember(bootstrap)

    def _remember(self, bootstrap: str) -> None:
        """
        Read the dedupe windows back from the inputs, up to where the journal goes on.

        How many events a record holds shows only when it is read, so a short reach is tried first and
        lengthened where it brought too few.
        """
        wanted = self._settings.dedupe_events
        reach = {name: min(wanted, _FIRST_REACH) for name, end in self._next.items() if end}
        reader = BatchReader(bootstrap)
        try:
            while reach:
                self._recall(reader, reach)
                found = {name: self._intake.remembered(name) for name in reach}
                reach = {
                    name: min(wanted, max(2 * back, back * wanted * 5 // (4 * max(1, found[name]))))
                    for name, back in reach.items()
                    if found[name] < wanted and back < min(wanted, self._next[name])
                }
        finally:
            reader.close()

    def _recall(self, reader: BatchReader, reach: dict[str, int]) -> None:
        """Fill the windows of these inputs anew from so many records back."""
        for name in reach:
            self._intake.forget(name)
        starts = {(name, self._partition): max(0, self._next[name] - back) for name, back in reach.items()}
        reader.assign(starts)
        silent_since = time.monotonic()
        while any(reader.position(*tp) < self._next[tp[0]] for tp in starts):
            batches = reader.poll()
            known = (replace(b, end=min(b.end, self._next[b.topic])) for b in batches)
            self._intake.sort((b for b in known if b.first < b.end), self._written_at)
            if batches:
                silent_since = time.monotonic()
            elif time.monotonic() - silent_since > _SILENT_SECONDS:
                log.warning("The inputs end before the journal's positions.", partition=self._partition)
                return

    @property
    def sequence(self) -> int:
        """The number of the last batch written."""
        return self._sequence

    @property
    def gathered(self) -> int:
        """How many events are read and not written yet."""
        return self._gathered.total

    @property
    def gathered_bytes(self) -> int:
        """About how much memory these hold, in bytes."""
        return self._gathered.nbytes

    def positions(self) -> list[TopicPartition]:
        """Return the offset to read next of each input, for the group's lag."""
        return [TopicPartition(name, self._partition, end) for name, end in self._next.items() if end]

    def next_offset(self, name: str) -> int:
        """Return the offset to read next of an input; of the simulation's clock, -2: the earliest."""
        return self._next.get(name, -2)

    def tick(self, now: int) -> None:
        """Take a tick of a simulation's clock."""
        self._ticked_at = max(self._ticked_at, now)

    def idle(self, wall: int | None) -> bool:
        """Tell whether an empty batch is owed, so that silence is noticed; *wall* is None in a simulation."""
        if wall is None:
            return self._ticked_at > self._written_at
        return time.monotonic() - self._wrote >= self._settings.idle_seconds

    def gather(self, batches: list[RawBatch], wall: int) -> None:
        """Sort what these batches hold into the batch that is written next; those covered are skipped."""
        fresh = []
        for batch in batches:
            if batch.first >= self._ends.get(batch.topic, self._next[batch.topic]):
                self._ends[batch.topic] = batch.end
                fresh.append(batch)
        self._intake.sort(fresh, max(self._written_at, wall), self._gathered)

    def write(self, batches: list[RawBatch], wall: int | None) -> int:
        """
        Write what these batches hold and what was gathered, or an empty journal batch, in one transaction.

        Returns the sequence number the journal then stands at. Each journal record says how far it read;
        batches already covered are skipped. Raises FencedError and KafkaException; after either, this object
        must not be used again.
        """
        now = max(self._written_at, self._ticked_at if wall is None else wall)
        batches = self._held + batches
        if now == 0:
            self._held = batches  # a simulation has not said what time it is yet
            return self._sequence
        self._held = []
        began = time.perf_counter()
        self.gather(batches, now)
        packed = self._fit(self._gathered, self._next | self._ends, now)
        self._gathered, self._ends = SortedEvents(), {}
        self._transactions.begin()
        for sorted_, value in packed:
            self._produce(sorted_, value)
        self._transactions.commit()
        self._written_at, self._wrote = now, time.monotonic()
        self._count(packed, time.perf_counter() - began)
        return self._sequence

    def _fit(self, sorted_: SortedEvents, ends: dict[str, int], now: int) -> list[tuple[SortedEvents, bytes]]:
        """Return the journal records of these events: one, or halves where one would be too large."""
        before = self._sequence, dict(self._next)
        packed = self._packed(sorted_, ends, now)
        if len(packed[1]) <= _ROOM:
            return [packed]
        self._sequence, self._next = before
        first, second = sorted_.halves()
        return self._fit(first, before[1], now) + self._fit(second, ends, now)

    def _packed(self, sorted_: SortedEvents, ends: dict[str, int], now: int) -> tuple[SortedEvents, bytes]:
        ranges = [
            SourceRange(topic=self._topics.plain(name), first=first, next=ends.get(name, first))
            for name, first in self._next.items()
        ]
        self._sequence += 1
        self._next |= ends
        return sorted_, self._writer.write(
            sorted_.batch(self._sequence, now, ranges), sorted_.usage.rolled_up().written()
        )

    def _produce(self, sorted_: SortedEvents, value: bytes) -> None:
        for letter in sorted_.dead:
            self._transactions.produce(
                self._dead, self._letter.encode(letter), letter.id.encode(), self._partition
            )
        for name, partition, key, record in sorted_.moved:
            moved_from = (MOVED_HEADER, str(self._partition).encode())
            headers = [*record.headers, moved_from]
            self._transactions.produce(name, record.value, key, partition, headers)
        self._transactions.produce(self._journal, value, None, self._partition)

    def _count(self, batches: list[tuple[SortedEvents, bytes]], seconds: float) -> None:
        metrics.TRANSACTION_SECONDS.observe(seconds)
        metrics.BATCHES.labels(kind="events" if any(s.admitted for s, _ in batches) else "empty").inc(
            len(batches)
        )
        metrics.WRITTEN_AT.labels(partition=self._partition).set(self._written_at / 1000)
        for sorted_, _ in batches:
            for topic, events in sorted_.read.items():
                metrics.CONSUMED.labels(topic=topic).inc(events)
            metrics.DUPLICATES.inc(sorted_.duplicates)
            metrics.MOVED.inc(len(sorted_.moved))
            for letter in sorted_.dead:
                metrics.DEAD_LETTERS.labels(topic=letter.topic, reason=letter.reason).inc()
                log.info(
                    "Record set aside.",
                    topic=letter.topic,
                    partition=letter.partition,
                    offset=letter.offset,
                    reason=letter.reason,
                    detail=letter.detail,
                    letter=letter.id,
                )
