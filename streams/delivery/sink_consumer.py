"""
The consumer that delivers outputs to one sink: it takes a batch, writes it, and only then commits it.

What a crash costs at each step:

1. After a batch was taken and before it is written: nothing. Its offsets are not committed, so the next owner
   of its partitions reads it again.
2. While it is written: the part that the sink has already is written a second time, which changes nothing,
   because the writes of a sink are idempotent.
3. After a record was rejected and before the batch is committed: the record becomes a dead letter a second
   time, with the same id.
4. Between the write and the commit: the whole batch is written a second time, as in 2.
5. After the sink stored its position and before Kafka's commit: the next owner reads from Kafka's offset,
   which is the earlier one, as in 4; in a sink that adds what it is given, from the sink's position.

A sink that people notice takes one record at a time, and one that fails lets the others pass
(streams/delivery/attempts.py). It knows which records it has, so that in 2 to 4 nobody is told twice.

A sink that lost what it held is filled again, and a topic that is another log is read on from where it has
what is new (streams/delivery/resume.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Event

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from sinks.port import Gathering, Metered, Once, SetBackError, Sink, SinkError
from streams.deadletters.producer import DeadLetterProducer
from streams.delivery.batch import OutputBatch, read_batch
from streams.delivery.broker_watch import BrokerWatch
from streams.delivery.committer import OffsetCommitter, parts_of
from streams.delivery.daily_use import DailyUseCounter
from streams.delivery.gathering import BatchGatherer
from streams.delivery.member import GroupMember
from streams.delivery.offsets import SinkOffsets
from streams.delivery.output_logs import OutputLogs
from streams.delivery.record_delivery import RecordDelivery
from streams.delivery.resume import ResumePoint
from streams.delivery.status import SinkStatus
from streams.delivery.subscription import Subscription
from streams.delivery.writer import Backoff, SinkWriter
from streams.kafka.cluster import Cluster
from streams.kafka.erasure_log import ErasureLog
from streams.kafka.errors import OFFSET_GONE
from streams.kafka.record import KafkaRecord
from streams.runtime.health import Health
from streams.settings import DeliverySettings

__all__ = ["SinkConsumer"]


class _StoppedError(Exception):
    """Delivery was stopped while a batch waited for its sink; the batch is delivered after the next start."""


class SinkConsumer:
    """Consumer of one sink; ``run`` belongs in a thread of its own and keeps ``ticked`` recent."""

    def __init__(
        self, cluster: Cluster, sink: Sink, settings: DeliverySettings, health: Health, stop: Event
    ) -> None:
        topics = cluster.topics
        subscription = Subscription.of(sink, topics)
        self.name = sink.name
        self.ticked = time.monotonic()
        self._settings, self._stop = settings, stop
        self._status = SinkStatus(sink.name, subscription.group, health)
        self._codecs = {topics.name(topic): cluster.codec(topic) for topic in subscription.topics}
        self._dead_letters = DeadLetterProducer(cluster.connection, topics, cluster.registry)
        self._writer = SinkWriter(sink, self._status, self._send_dead_letter)
        self._records = (
            RecordDelivery(self._writer, self._status, settings.retry_seconds)
            if isinstance(sink, Once)
            else None
        )
        self._erasure_log = ErasureLog(cluster.connection, topics)
        self._offsets = SinkOffsets()
        self._logs = OutputLogs(cluster, self._offsets)
        self._resume_point = ResumePoint(sink, topics, self._logs, self._status)
        self._watch = BrokerWatch(subscription, health)
        parts = parts_of(subscription.partitions())
        self._use = DailyUseCounter(sink, parts) if isinstance(sink, Metered) else None
        self._gatherer = BatchGatherer(sink) if isinstance(sink, Gathering) else None
        self._committer = OffsetCommitter(
            self._offsets, self._resume_point, self._watch, self._status, self._use
        )
        self._member = GroupMember(
            cluster.connection, subscription, settings.session_seconds, self._watch, self._committer.on_commit
        )

    def run(self) -> None:
        """
        Deliver until stopped.

        Raises DeliveryError and DeadLetterProducerError when Kafka forbids going on, LogChangedError when a
        topic has another number of partitions, and SinkSettingsError.
        """
        try:
            self._until_taken(self._writer.open)
            self._member.subscribe(self._on_assign, self._on_revoke, self._on_lost)
            self._logs.watch.start()
            while not self._stop.is_set():
                self._tick()
                self._resume()
                self._deliver()
                self._committer.commit(self._member.consumer)
        except _StoppedError:
            self._status.log.info("Stopped with a batch undelivered: it is delivered after the next start.")
        finally:
            self._logs.watch.close()
            self._erasure_log.close()
            if not self._member.leave():
                self._status.log.warning(
                    "Group left without an answer of Kafka: it notices by itself that this member is gone."
                )
            self._writer.close()

    def _resume(self) -> None:
        """Go on from where sink and topics say, where that is in doubt."""
        backoff, told = Backoff(self._settings.retry_seconds), ""
        while self._resume_point.unknown and self._offsets.owned:
            try:
                self._writer.taken_over()
                if self._use is not None:
                    self._use.refresh(self._member.consumer, self._offsets.owned, assigned=True)
                self._erasure_log.catch_up()
                starts = self._resume_point.starts(
                    self._member.consumer, self._offsets.owned, self._offsets.written
                )
            except SinkError as error:
                self._status.failed(error)
                self._member.hold()
                self._wait(backoff.pause(error))
            except KafkaException as error:
                self._watch.refused(error.args[0])
                if told != (told := error.args[0].str()):
                    self._status.log.warning("Kafka does not say where to go on: asked again.", error=told)
                self._member.hold()
                self._wait(backoff.pause(SinkError("Kafka is away")))
            else:
                self._member.restart(starts)
                self._offsets.restart(starts)
                if self._gatherer is not None:
                    self._gatherer.clear()
                if self._records is not None:
                    self._records.forget()
                # At once, so that Kafka knows of which log the sink's next positions are.
                self._committer.commit_all(self._member.consumer)
                self._status.ready()

    def _deliver(self) -> None:
        if self._records is not None:
            self._deliver_records(self._records)
            return
        messages = self._member.take(self._settings.batch_records)
        if not messages and self._gatherer is None:
            return
        batch = self._read(messages)
        if self._gatherer is not None:
            gathered = self._gatherer.add(batch)
            if gathered is None:
                return
            batch = gathered
        self._refresh_use()
        try:
            self._until_taken(partial(self._write, batch))
        except SetBackError:
            self._resume_point.ask()
            return
        self._dead_letters.flush(self._while_waiting)
        self._offsets.wrote(batch.reached)

    def _write(self, batch: OutputBatch) -> None:
        if self._gatherer is not None and self._resume_point.unknown:
            raise SetBackError("its partitions changed hands while the batch waited")
        self._writer.write(batch)

    def _refresh_use(self) -> None:
        if self._use is not None:
            with suppress(KafkaException):  # it goes on with what it knew
                self._use.refresh(self._member.consumer, self._offsets.owned)

    def _deliver_records(self, records: RecordDelivery) -> None:
        """Read the next record, and write what has its turn; commit up to the oldest that is not done."""
        records.add(self._read(records.take(self._member)))
        if self._resume_point.unknown:  # partitions came or went while a record was awaited
            return
        for _ in records.attempts():
            self._tick()
        self._dead_letters.flush(self._while_waiting)
        self._offsets.wrote(records.moved())

    def _read(self, messages: list[Message]) -> OutputBatch:
        if messages:
            self._watch.heard()
        return read_batch(
            messages, self._codecs, self._send_dead_letter, self._refused, self._erasure_log.current
        )

    def _until_taken(self, attempt: Callable[[], None]) -> None:
        """Repeat an attempt until the sink takes it; raise SetBackError when it lost what it held."""
        backoff = Backoff(self._settings.retry_seconds)
        while True:
            try:
                attempt()
            except SetBackError:
                raise
            except SinkError as error:
                self._status.failed(error)
                self._member.pause()
                if self._use is not None:  # what the attempt used counts also after a kill
                    self._committer.commit(self._member.consumer)
                self._wait(backoff.pause(error))
            else:
                return self._member.resume()

    def _send_dead_letter(self, source: KafkaRecord, reason: str, detail: str) -> None:
        self._status.sent_dead_letter(reason)
        refused_here = reason == "invalid"  # what can't be decoded, no sink can use
        self._dead_letters.send_record(source, reason, detail, self.name if refused_here else "")

    def _refused(self, error: KafkaError) -> None:
        if error.code() == OFFSET_GONE:
            self._resume_point.ask()
        else:
            self._watch.refused(error)

    def _wait(self, seconds: float) -> None:
        """Wait before the next attempt, in the group and measuring the lag."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._while_waiting()
            self._member.poll_idle(left)
        self._status.retried()

    def _while_waiting(self) -> None:
        self._tick()
        if self._stop.is_set():
            raise _StoppedError

    def _tick(self) -> None:
        self.ticked = time.monotonic()
        self._erasure_log.look()
        written = self._offsets.written
        if self._records is not None:
            written = self._records.lag_positions(written)
        if not self._logs.hold():
            self._resume_point.ask()
        self._watch.look(
            self._member.consumer, self._offsets.owned, written, self._logs.ends, idle=self._member.idle
        )
        self._status.logs_hold()

    def _on_assign(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._status.log.info("Partitions assigned.", partitions=parts_of(partitions))
        self._resume_point.ask()
        self._member.hold()
        self._offsets.assign(parts_of(partitions))
        self._status.joined()

    def _on_revoke(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._committer.commit_all(self._member.consumer)
        self._forget(partitions)

    def _on_lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._status.log.warning("Partitions lost: this member was silent for too long and was replaced.")
        self._forget(partitions)

    def _forget(self, partitions: list[TopicPartition]) -> None:
        if self._gatherer is not None:
            self._gatherer.clear()
        if self._records is not None:
            self._records.forget()
        self._member.release()
        parts = parts_of(partitions)
        self._watch.forget(parts)
        self._offsets.revoke(parts)
        self._status.left()
