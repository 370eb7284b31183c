"""
Carries the outputs to one sink: take a batch, write it, and only then commit.

What a crash costs at each step: before the write, nothing; between write and commit, the batch is
written a second time, which changes nothing, because sinks are idempotent by key and version. A sink that
lost what it held is filled again (streams/delivery/resume.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from threading import Event, Thread
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.codec.errors import SchemaError, UnknownSchemaError
from schemas.codec.record_codec import Codec, codec
from schemas.codec.registry import Registry
from schemas.records import AccountKpis
from schemas.topics import Topics
from sinks.port import Output, Rejected, SetBackError, Sink, SinkError
from streams.deadletters.producer import DeadLetterProducer
from streams.delivery import metrics
from streams.delivery.broker_watch import BrokerWatch
from streams.delivery.resume import ResumePoint
from streams.kafka.consumer_group import leave_group
from streams.kafka.record import KafkaRecord, kafka_record
from streams.runtime.health import Health
from streams.runtime.latency import EVENT_LATENCY
from streams.settings import DeliverySettings

__all__ = ["OUTPUTS", "SinkConsumer"]

OUTPUTS = ("account.health", "account.kpis", "risk.alerts")
"""What sinks are given."""

_MAX_RETRY_SECONDS = 30.0
_COMMIT_SECONDS = 0.1
_LOOK_SECONDS = 1.0
_LEAVE_SECONDS = 8.0

log = structlog.get_logger(__name__)


class _StoppedError(Exception):
    """Stopped while a batch waited for its sink; the batch is delivered after the next start."""


class SinkConsumer:
    """One sink's consumer group member; ``run`` belongs in a thread of its own."""

    def __init__(
        self,
        bootstrap: str,
        topics: Topics,
        settings: DeliverySettings,
        sink: Sink,
        registry: Registry,
        vitals: Health,
        stop: Event,
    ) -> None:
        self.sink = sink
        self.ticked = time.monotonic()
        self._topics = topics
        self._settings = settings
        self._vitals = vitals
        self._stop = stop
        self._log = log.bind(sink=sink.name)
        self._codecs: dict[str, Codec[Any]] = {
            topics.name(topic): codec(topic, registry) for topic in OUTPUTS
        }
        self._parking = DeadLetterProducer(bootstrap, topics, registry)
        self._early: list[Message] = []
        self._owned: set[tuple[str, int]] = set()
        self._written: dict[tuple[str, int], int] = {}
        self._uncommitted: set[tuple[str, int]] = set()
        self._committed_at = 0.0
        self._holding = False
        self._standing = ResumePoint(sink, topics)
        self._watch = BrokerWatch(sink.name, topics, list(self._codecs), vitals)
        self._group = f"{topics.prefix}deliver-{sink.name}"
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": self._group,
                "client.id": f"bellbuoy-deliver-{sink.name}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                # Range: all outputs of a partition have one owner, so an account's stay in order.
                "partition.assignment.strategy": "range",
                "session.timeout.ms": int(settings.session_seconds * 1000),
                "heartbeat.interval.ms": int(settings.session_seconds * 250),
                # Ends of partitions are told, because a transaction's markers count as offsets.
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
                "fetch.queue.backoff.ms": 10,
                "reconnect.backoff.max.ms": 2000,
                # A commit on leaving waits no longer for a broker that is gone.
                "socket.timeout.ms": 10_000,
                "on_commit": self._committed,
                "error_cb": self._watch.trouble,
                "log_level": 2,  # the callback tells the rest, once
            }
        )
        vitals.set_condition(f"{sink.name} joined", False, f"waiting for partitions of group {self._group}")
        vitals.set_condition(sink.name, False, "not opened yet")

    def run(self) -> None:
        """Deliver until stopped; raise DeliveryError or ParkingError when Kafka forbids going on."""
        try:
            self._open()
            self._consumer.subscribe(
                [self._topics.name(topic) for topic in OUTPUTS],
                on_assign=self._assigned,
                on_revoke=self._revoked,
                on_lost=self._lost,
            )
            while not self._stop.is_set():
                self._tick()
                self._resume()
                self._deliver(self._take())
                self._commit()
        except _StoppedError:
            self._log.info("Stopped with a batch undelivered.")
        finally:
            self._leave()
            self.sink.close()

    def _leave(self) -> None:
        """Leave the group; without a broker the client would wait for minutes to say so."""
        leaving = Thread(
            target=leave_group, args=(self._consumer,), name=f"leave-{self.sink.name}", daemon=True
        )
        leaving.start()
        leaving.join(_LEAVE_SECONDS)
        if leaving.is_alive():
            self._log.warning("Kafka is away; the group notices by itself that this member left.")

    def _open(self) -> None:
        delay = self._settings.retry_seconds
        while True:
            try:
                self.sink.open()
            except SinkError as error:
                self._failed(error)
                delay = self._wait(error, delay)
            else:
                self._vitals.set_condition(self.sink.name, True)
                return

    def _resume(self) -> None:
        """Go on where the sink says that it stands, when that is in doubt."""
        delay = self._settings.retry_seconds
        while self._standing.unknown and self._owned:
            try:
                starts = self._standing.starts(self._consumer, self._owned, self._written)
            except SinkError as error:
                self._failed(error)
                self._hold()
                delay = self._wait(error, delay)
            except KafkaException as error:
                self._watch.refused(error.args[0])
                self._hold()
                delay = self._wait(SinkError("Kafka is away"), delay)
            else:
                self._consumer.assign(starts)
                self._consumer.resume(starts)
                self._early, self._holding = [], False
                self._written = {(start.topic, start.partition): start.offset for start in starts}
                self._uncommitted = set(self._written)
                self._vitals.set_condition(self.sink.name, True)

    def _take(self) -> list[Message]:
        """Block for the first record only: a lone one is not kept waiting for company."""
        messages, self._early = self._early, []
        if not messages:
            first = self._consumer.poll(0.1)
            messages = [] if first is None else [first]
        if 0 < len(messages) < self._settings.batch_records:
            messages += self._consumer.consume(self._settings.batch_records - len(messages), 0)
        return messages

    def _deliver(self, messages: list[Message]) -> None:
        if not messages:
            return
        self._watch.heard()
        outputs: list[Output] = []
        sources: list[KafkaRecord] = []
        reached: dict[tuple[str, int], int] = {}
        for message in messages:
            error = message.error()
            if error is None:
                found = kafka_record(message)
                reached[found.topic, found.partition] = found.offset + 1
                output = self._decode(found)
                if output is not None:
                    outputs.append(output)
                    sources.append(found)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's own name
                end = kafka_record(message)
                reached[end.topic, end.partition] = end.offset
            else:
                self._watch.refused(error)
        try:
            self._write(outputs, sources)
        except SetBackError:
            self._standing.ask()
            return
        self._parking.flush(self._waiting)
        # Partitions that went to another member meanwhile are its to commit.
        kept = {part: offset for part, offset in reached.items() if part in self._owned}
        self._written |= kept
        self._uncommitted |= kept.keys()

    def _decode(self, found: KafkaRecord) -> Output | None:
        try:
            output: Output = self._codecs[found.topic].decode(found.value)
        except SchemaError as error:
            reason = "unknown_schema" if isinstance(error, UnknownSchemaError) else "undecodable"
            self._park(found, reason, str(error))
            return None
        return output

    def _write(self, outputs: list[Output], sources: list[KafkaRecord]) -> None:
        delay = self._settings.retry_seconds
        while outputs:
            try:
                with metrics.WRITE_SECONDS.labels(self.sink.name).time():
                    self.sink.write(outputs)
            except Rejected as verdict:
                self._park(sources.pop(verdict.index), "invalid", f"{self.sink.name}: {verdict}")
                del outputs[verdict.index]
            except SetBackError:
                raise
            except SinkError as error:
                self._failed(error)
                self._hold()
                delay = self._wait(error, delay)
            else:
                self._succeeded(outputs)
                break
        self._release()

    def _succeeded(self, outputs: list[Output]) -> None:
        self._vitals.set_condition(self.sink.name, True)
        now = time.time()
        metrics.LAST_SUCCESS.labels(self.sink.name).set(now)
        metrics.BATCH.labels(self.sink.name).observe(len(outputs))
        latency = EVENT_LATENCY.labels(self.sink.name)
        for output in outputs:
            if not isinstance(output, AccountKpis) and output.received_at is not None:
                latency.observe(max(0.0, now - output.received_at / 1000))

    def _failed(self, error: SinkError) -> None:
        metrics.ERRORS.labels(self.sink.name).inc()
        self._vitals.set_condition(self.sink.name, False, str(error))
        self._log.warning("The sink can't take it now; it is offered again.", error=str(error))

    def _park(self, found: KafkaRecord, reason: str, detail: str) -> None:
        metrics.PARKED.labels(self.sink.name, reason).inc()
        self._parking.send_record(found, reason, detail)

    def _wait(self, error: SinkError, delay: float) -> float:
        """Wait before the next attempt, in the group and measuring the lag; return the next pause."""
        deadline = time.monotonic() + max(delay, error.retry_after or 0.0)
        while (left := deadline - time.monotonic()) > 0:
            self._waiting()
            if self._holding:
                message = self._consumer.poll(min(left, 0.1))
                if message is not None:
                    self._early.append(message)
            else:
                self._stop.wait(min(left, 0.1))
        metrics.RETRIES.labels(self.sink.name).inc()
        return min(delay * 2, _MAX_RETRY_SECONDS)

    def _waiting(self) -> None:
        self._tick()
        if self._stop.is_set():
            raise _StoppedError

    def _hold(self) -> None:
        """Keep polling for the membership's sake without being given more."""
        if not self._holding:
            self._holding = True
            self._consumer.pause(self._consumer.assignment())

    def _release(self) -> None:
        if self._holding:
            self._holding = False
            self._consumer.resume(self._consumer.assignment())

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._log.info("Partitions assigned.", partitions=[(p.topic, p.partition) for p in partitions])
        self._standing.ask()
        if self._holding or self._standing.kept:
            consumer.assign(partitions)
            consumer.pause(partitions)
        self._owned |= {(part.topic, part.partition) for part in partitions}
        self._vitals.set_condition(f"{self.sink.name} joined", True)

    def _revoked(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._commit_all()
        self._forget(partitions)

    def _lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._log.warning("Partitions lost: this member was replaced after a silence.")
        self._forget(partitions)

    def _forget(self, partitions: list[TopicPartition]) -> None:
        self._watch.forget(partitions)
        for part in partitions:
            self._owned.discard((part.topic, part.partition))
            self._written.pop((part.topic, part.partition), None)
            self._uncommitted.discard((part.topic, part.partition))
        self._vitals.set_condition(
            f"{self.sink.name} joined", False, f"waiting for partitions of group {self._group}"
        )

    def _commit(self) -> None:
        """Commit what was written, now and then, without waiting: the next record is not kept waiting."""
        now = time.monotonic()
        if now - self._committed_at < (_COMMIT_SECONDS if self._uncommitted else _LOOK_SECONDS):
            return
        self._committed_at = now
        if self._noted(self._uncommitted) and self._uncommitted and not self._watch.away:
            self._consumer.commit(offsets=self._positions(self._uncommitted), asynchronous=True)
            self._uncommitted.clear()

    def _noted(self, parts: Iterable[tuple[str, int]]) -> bool:
        """Let the sink note how far these are written, or see that it stands where it was left."""
        try:
            self._standing.reached({part: self._written[part] for part in parts})
        except SetBackError:
            self._standing.ask()
        except SinkError as error:
            self._vitals.set_condition(self.sink.name, False, str(error))
        else:
            self._vitals.set_condition(self.sink.name, True)
            return True
        return False

    def _commit_all(self) -> None:
        """Commit everything written before partitions are given away, and wait for it."""
        if not self._written or not self._noted(self._written) or self._watch.away:
            return
        try:
            self._consumer.commit(offsets=self._positions(self._written), asynchronous=False)
        except KafkaException as error:
            self._not_committed(error.args[0])
        self._uncommitted.clear()

    def _committed(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        if error is not None:
            self._not_committed(error)
            self._uncommitted |= {(part.topic, part.partition) for part in partitions} & self._written.keys()

    def _not_committed(self, error: KafkaError) -> None:
        # The records are written: at worst they are written once more.
        self._log.warning("Offsets are not committed.", error=error.str())

    def _positions(self, parts: Iterable[tuple[str, int]]) -> list[TopicPartition]:
        return [TopicPartition(*part, self._written[part]) for part in parts]

    def _tick(self) -> None:
        self.ticked = time.monotonic()
        self._watch.look(self._consumer, self._written, paused=self._holding)
