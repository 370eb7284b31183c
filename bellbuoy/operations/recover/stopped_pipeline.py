"""Topics of a deployment whose journal and worker are stopped, as every recovery reads and writes them."""

from __future__ import annotations

import time
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # they are re-exported

from bellbuoy.errors import OperatorError
from bellbuoy.operations.kafka.errors import kafka_away
from bellbuoy.operations.kafka.registry import registry
from bellbuoy.operations.kafka.topics import create_topics
from bellbuoy.settings import Settings
from processors.state.position import POSITION_KEY, Position, decode_position, encode_position, position_key
from schemas.codec.record_codec import codec
from schemas.inputs import INPUT_TOPICS
from schemas.topics import Topics
from streams.kafka.answer import answer
from streams.kafka.log_inspector import LogInspector
from streams.kafka.log_position import LOGS_HEADER, LogPosition, decode_positions
from streams.kafka.log_reader import last_record
from streams.kafka.record import KafkaRecord
from streams.kafka.transactional_producer import TransactionalProducer
from streams.worker.logs import logs_of, state_headers

__all__ = ["RecoverError", "StoppedPipeline", "WrittenRecord"]

_SECONDS = 30.0

WrittenRecord = tuple[bytes | None, bytes | None, int, Sequence[tuple[str, bytes]]]
"""Value, key, partition and headers of a record that is written."""


class RecoverError(OperatorError):
    """
    A recovery can't be done now; nothing was changed.

    Operator action: do what the message says, then run the command again.
    """


class StoppedPipeline:
    """The topics of a deployment, and what every recovery reads and writes of them."""

    def __init__(self, settings: Settings) -> None:
        self.connection = settings.kafka.connection()
        self.topics: Topics = settings.kafka.topics()
        self.journal = self.topics.name("account.journal")
        self.batches = codec("account.journal", registry(settings))
        self.admin = AdminClient({**self.connection.librdkafka(), "log_level": 0})

    def require_stopped(self) -> None:
        """Raise RecoverError while a journal or worker is a member of its group."""
        groups = {f"{self.topics.prefix}bellbuoy-journal": "journal", self.topics.app_id: "worker"}
        described = self.admin.describe_consumer_groups(list(groups), request_timeout=_SECONDS)
        running = [role for group, role in groups.items() if answer(described[group], _SECONDS).members]
        if running:
            raise RecoverError(
                f"{' and '.join(running)} still running: stop every journal and worker first (one that was "
                "killed leaves its group after session_seconds)"
            )

    def last(self, topic: str, partition: int, existing: dict[str, int]) -> KafkaRecord | None:
        """Return the last record of a partition, or ``None``, also where there is no such partition."""
        return last_record(self.connection, topic, partition) if partition < existing.get(topic, 0) else None

    def position(self, partition: int, existing: dict[str, int]) -> tuple[Position, KafkaRecord] | None:
        """Return the position of a partition's states and its record."""
        record = self.last(self.topics.changelog, partition, existing)
        if record is None or record.value is None or not (record.key or b"").startswith(POSITION_KEY):
            return None
        return decode_position(record.value), record

    def delete(self, name: str) -> None:
        """Delete a topic; raise KafkaException."""
        answer(self.admin.delete_topics([name], operation_timeout=_SECONDS)[name], _SECONDS)

    def create_like(self, name: str, kept: str) -> None:
        """Create the topic *kept* as the topics say that *name* is; raise KafkaException."""
        spec = next(spec for spec in self.topics.specs() if spec.name == name)
        made = NewTopic(kept, self.topics.partitions, self.topics.replication, config=spec.config)
        answer(self.admin.create_topics([made], operation_timeout=_SECONDS)[kept], _SECONDS)

    def cut(self, topic: str, partition: int, offset: int) -> None:
        """Delete the records of a partition before an offset; raise KafkaException."""
        part = TopicPartition(topic, partition, offset)
        answer(self.admin.delete_records([part])[part], _SECONDS)

    def committed_inputs(self, partition: int) -> dict[str, int]:
        """Return how far the journal's group has read each input, where it has committed that."""
        group = f"{self.topics.prefix}bellbuoy-journal"
        consumer = Consumer({**self.connection.librdkafka(), "group.id": group, "log_level": 0})
        asked = [TopicPartition(self.topics.name(topic), partition) for topic in INPUT_TOPICS]
        try:
            committed = consumer.committed(asked, timeout=_SECONDS)
        finally:
            consumer.close()
        return {self.topics.plain(tp.topic): tp.offset for tp in committed if tp.offset > 0}

    def recreate(self, *names: str) -> None:
        """Delete topics, where they exist, and create them again; raise KafkaException and KafkaAwayError."""
        inspector = LogInspector(self.connection)
        before = {name: topic.topic_id for name, topic in inspector.topics(names).items()}
        for name in names:
            try:
                self.delete(name)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
        deadline, refusal = time.monotonic() + _SECONDS, "it doesn't tell of the new topics"
        while True:
            try:
                create_topics(self.connection, self.topics)
            except KafkaException as error:  # the controller still deletes it
                refusal = error.args[0].str()
            # For a moment a broker may still tell of the topic that the controller has deleted.
            found = inspector.topics(names)
            if all(name in found and found[name].topic_id != before.get(name) for name in names):
                return
            if time.monotonic() > deadline:
                raise kafka_away(self.connection, refusal)
            time.sleep(0.2)

    def write_position(
        self, partition: int, position: Position, logs: list[LogPosition], inputs: dict[str, int]
    ) -> None:
        """Write a position to the changelog, and tell what stands beside it."""
        transactional_id = f"{self.topics.app_id}-accounts-{partition}"
        key, value, headers = position_key(partition), encode_position(position), state_headers(logs, inputs)
        self.write(transactional_id, self.topics.changelog, [(value, key, partition, headers)])

    def write(self, transactional_id: str, topic: str, records: Sequence[WrittenRecord]) -> None:
        """
        Write records in one transaction, again when a broker refused one; raise KafkaException.

        A broker may not know a topic yet that was made a moment ago, and then the whole transaction is void.
        """
        deadline = time.monotonic() + _SECONDS
        while True:
            producer = TransactionalProducer(self.connection, transactional_id)
            producer.begin()
            try:
                for record in records:
                    producer.produce(topic, *record)
                producer.commit()
            except KafkaException as error:
                if not error.args[0].txn_requires_abort() or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def await_visible(self, transactional_id: str) -> None:
        """
        Return once readers see what was committed under this id.

        Kafka answers a commit before the partitions have its markers, but opens an id only after that.
        """
        TransactionalProducer(self.connection, transactional_id)

    def write_read(self, partition: int, offset: int) -> None:
        """
        Say from which offset of the journal the worker reads on, and that it has come so far.

        The former is its group's offset, the latter what the journal waits for (streams/pacing/progress.py).
        """
        for group in (self.topics.app_id, f"{self.topics.app_id}-applied"):
            consumer = Consumer({**self.connection.librdkafka(), "group.id": group, "log_level": 0})
            try:
                consumer.commit(offsets=[TopicPartition(self.journal, partition, offset)], asynchronous=False)
            finally:
                consumer.close()

    def known_logs(self, record: KafkaRecord | None) -> list[LogPosition]:
        """Return the logs of a position's header, unknown ones where it has none."""
        known = [] if record is None else decode_positions(dict(record.headers).get(LOGS_HEADER, b""))
        return known or [LogPosition(0)] * len(logs_of(self.topics))
