"""
Recovery of a deployment whose topics are not the logs any more that its positions and states came from.

Each recovery is planned first, and the plan says what is lost. It needs journal and worker stopped, and may
be run again after it was cut off.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # they are re-exported
from msgspec.structs import replace

from bellbuoy.errors import OperatorError
from bellbuoy.operations.kafka_errors import kafka_away
from bellbuoy.operations.registry import registry
from bellbuoy.operations.retry import retry_while_leaderless
from bellbuoy.operations.topics import Area, area_of, create_topics, topic_partitions
from bellbuoy.settings import Settings
from processors.state.position import POSITION_KEY, Position, decode_position, encode_position, position_key
from schemas.codec.record_codec import codec
from schemas.identity.keys import partition_of
from schemas.inputs import INPUT_TOPICS, INPUTS
from schemas.records import JournalBatch, SourceRange
from schemas.topics import Topics
from streams.journal.restore import input_positions
from streams.kafka.log_inspector import LogInspector
from streams.kafka.log_position import LOGS_HEADER, LogPosition, decode_positions
from streams.kafka.log_reader import end_offsets, first_record, last_record, read_to_end, watermarks_of
from streams.kafka.record import KafkaRecord
from streams.kafka.transactional_producer import TransactionalProducer
from streams.worker.logs import inputs_read, logs_of, state_headers

__all__ = ["RecoverError", "Recovery", "plan_recovery"]

_SECONDS = 30.0
_COPY_RECORDS = 1_000
"""Records that are copied in one transaction."""

_Written = tuple[bytes | None, bytes | None, int, Sequence[tuple[str, bytes]]]
"""Value, key, partition and headers of a record that is written."""


class RecoverError(OperatorError):
    """
    A recovery can't be done now; nothing was changed.

    Operator action: do what the message says, then run the command again.
    """


@dataclass(slots=True)
class Recovery:
    """
    The plan of a recovery.

    ``steps`` say what is done and ``losses`` what is lost by it, in words; both are empty when there is
    nothing to recover. ``apply`` does it.
    """

    area: Area
    steps: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    actions: list[Callable[[], None]] = field(default_factory=list)

    def add(self, step: str, action: Callable[[], None]) -> None:
        """Add a step to the plan."""
        self.steps.append(step)
        self.actions.append(action)

    def apply(self) -> None:
        """Do what is planned; raise KafkaException."""
        for action in self.actions:
            action()


def plan_recovery(settings: Settings, area: Area) -> Recovery:
    """Return the plan for a part of the topics; raise RecoverError while a role runs, and KafkaAwayError."""
    deployment = _StoppedPipeline(settings)
    planned = {"inputs": _inputs, "journal": _journal, "changelog": _changelog, "outputs": _outputs}[area]
    existing = topic_partitions(deployment.connection)
    deployment.require_stopped()
    recovery = Recovery(area)
    retry_while_leaderless(deployment.connection, partial(planned, deployment, existing, recovery))
    return recovery


class _StoppedPipeline:
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
        running = [role for group, role in groups.items() if described[group].result(_SECONDS).members]
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

    def recreate(self, *names: str) -> None:
        """Delete topics, where they exist, and create them again; raise KafkaException and KafkaAwayError."""
        inspector = LogInspector(self.connection)
        before = {name: topic.topic_id for name, topic in inspector.topics(names).items()}
        for name in names:
            try:
                self.admin.delete_topics([name], operation_timeout=_SECONDS)[name].result(_SECONDS)
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

    def write(self, transactional_id: str, topic: str, records: Sequence[_Written]) -> None:
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


def _journal(deployment: _StoppedPipeline, existing: dict[str, int], recovery: Recovery) -> None:
    """Add the steps to a journal that goes on at the states; later events are read from the inputs again."""
    topics = deployment.topics
    count = existing.get(deployment.journal)
    if count != topics.partitions:
        recovery.add(
            f"create {deployment.journal} anew with {topics.partitions} partitions",
            partial(deployment.recreate, deployment.journal),
        )
        recovery.losses.append("the journal's history: `replay` and `explain --at` begin at the recovery")
        existing = existing | {deployment.journal: 0}
    for partition in range(topics.partitions):
        found = deployment.position(partition, existing)
        if found is None:
            continue
        position, record = found
        inputs = _inputs_at(deployment, partition, record, recovery)
        last = deployment.last(deployment.journal, partition, existing)
        batch = None if last is None else deployment.batches.decode(last.value)
        again = {
            topic: end - inputs.get(topic, 0)
            for topic in INPUT_TOPICS
            for end in end_offsets(deployment.connection, topics.name(topic), [partition]).values()
            if end > inputs.get(topic, 0)
        }
        recovery.add(
            f"partition {partition}: go on after batch {position.sequence}, which is in the states; read "
            + (", ".join(f"{n} offsets of {topic}" for topic, n in again.items()) or "nothing")
            + " again",
            partial(_continue_journal, deployment, partition, position, record, inputs, batch),
        )
        if batch is not None and batch.sequence != position.sequence:
            recovery.losses.append(
                f"partition {partition}: the journal's history before the recovery, which has a gap: "
                "`replay` and `explain --at` begin at the recovery"
            )


def _inputs_at(
    deployment: _StoppedPipeline, partition: int, record: KafkaRecord, recovery: Recovery
) -> dict[str, int]:
    """Return how far each input was read when the states came to their position."""
    inputs = inputs_read(record.headers)
    if inputs is None:
        group = f"{deployment.topics.prefix}bellbuoy-journal"
        consumer = Consumer({**deployment.connection.librdkafka(), "group.id": group, "log_level": 0})
        asked = [TopicPartition(deployment.topics.name(topic), partition) for topic in INPUT_TOPICS]
        try:
            committed = consumer.committed(asked, timeout=_SECONDS)
        finally:
            consumer.close()
        inputs = {deployment.topics.plain(tp.topic): tp.offset for tp in committed if tp.offset > 0}
        recovery.losses.append(
            f"partition {partition}: an older release wrote the states, so events of the last second may "
            "count twice"
        )
    for topic, offset in inputs.items():
        name = deployment.topics.name(topic)
        first, end = watermarks_of(deployment.connection, TopicPartition(name, partition))
        if first > offset:
            recovery.losses.append(f"{name}/{partition}: {first - offset} offsets that are deleted already")
        if offset > end:
            recovery.losses.append(f"{name}/{partition}: its own tail, which is in the states all the same")
    return inputs


def _continue_journal(
    deployment: _StoppedPipeline,
    partition: int,
    position: Position,
    record: KafkaRecord,
    inputs: dict[str, int],
    last: JournalBatch | None,
) -> None:
    sequence = max(position.sequence, -1 if last is None else last.sequence) + 1
    written_at = max(position.written_at, 0 if last is None else last.written_at)
    ranges = [SourceRange(topic=t, first=inputs.get(t, 0), next=inputs.get(t, 0)) for t in INPUT_TOPICS]
    batch = JournalBatch(sequence=sequence, written_at=written_at, offsets=ranges)
    transactional_id = f"{deployment.topics.prefix}bellbuoy-journal-{partition}"
    value = deployment.batches.encode(batch)
    deployment.write(transactional_id, deployment.journal, [(value, None, partition, ())])
    deployment.await_visible(transactional_id)
    written = last_record(deployment.connection, deployment.journal, partition)
    assert written is not None
    topic = LogInspector(deployment.connection).topics([deployment.journal])[deployment.journal]
    logs = [LogPosition(written.offset, topic.topic_id), *deployment.known_logs(record)[1:]]
    reached = replace(position, sequence=sequence - 1, offset=written.offset - 1, written_at=written_at)
    deployment.write_position(partition, reached, logs, inputs)
    deployment.write_read(partition, written.offset)
    if last is not None and last.sequence != position.sequence:
        part = TopicPartition(deployment.journal, partition, written.offset)
        deployment.admin.delete_records([part])[part].result(_SECONDS)


def _changelog(deployment: _StoppedPipeline, existing: dict[str, int], recovery: Recovery) -> None:
    """Add the steps to states that are folded again, which also publishes the outputs again."""
    topics = deployment.topics
    recovery.add(
        f"create {topics.changelog} anew; the worker folds the journal again and publishes its outputs again",
        partial(deployment.recreate, topics.changelog),
    )
    for partition in range(topics.partitions):
        if partition >= existing.get(deployment.journal, 0):
            continue
        first = first_record(deployment.connection, deployment.journal, partition, 0)
        last = deployment.last(deployment.journal, partition, existing)
        if first is None or last is None:
            recovery.steps.append(f"partition {partition}: the journal is empty, so the states begin empty")
            recovery.actions.append(partial(deployment.write_read, partition, 0))
            continue
        begins = deployment.batches.decode(first.value)
        ends = deployment.batches.decode(last.value)
        recovery.steps.append(f"partition {partition}: fold batches {begins.sequence} to {ends.sequence}")
        recovery.actions.append(partial(_begin_states, deployment, partition, begins, first))
        if begins.sequence > 0:
            recovery.losses.append(
                f"partition {partition}: what was before batch {begins.sequence}, the journal's first"
            )


def _begin_states(
    deployment: _StoppedPipeline, partition: int, begins: JournalBatch, first: KafkaRecord
) -> None:
    deployment.write_read(partition, first.offset if begins.sequence > 0 else 0)
    if begins.sequence > 0:
        inputs = {source.topic: source.first for source in begins.offsets if source.first}
        position = Position(
            sequence=begins.sequence - 1, offset=first.offset - 1, written_at=begins.written_at
        )
        deployment.write_position(partition, position, deployment.known_logs(None), inputs)


def _outputs(deployment: _StoppedPipeline, existing: dict[str, int], recovery: Recovery) -> None:
    """Add the steps to outputs that are published again, which a new fold of the journal does."""
    topics = deployment.topics
    for spec in topics.specs():
        if area_of(spec.name, topics) == "outputs" and existing.get(spec.name) != topics.partitions:
            recovery.add(
                f"create {spec.name} anew with {topics.partitions} partitions",
                partial(deployment.recreate, spec.name),
            )
            if topics.plain(spec.name) == "events.deadletter":
                recovery.losses.append("the dead letters")
    _changelog(deployment, existing, recovery)


def _inputs(deployment: _StoppedPipeline, existing: dict[str, int], recovery: Recovery) -> None:
    """Add the steps to input topics with the right number of partitions, that hold what was not read yet."""
    topics = deployment.topics
    everywhere = {each.topic for each in INPUTS if each.everywhere}
    for topic in (*INPUT_TOPICS, "simulation.clock"):
        name, kept = topics.name(topic), f"{topics.name(topic)}.recovering"
        count = existing.get(name)
        if kept in existing and count in (None, topics.partitions):  # an earlier recovery was cut off
            recovery.add(f"bring back what is in {kept}", partial(_bring_back, deployment, name, kept))
        elif count != topics.partitions:
            starts = _unread(deployment, topic, count or 0, existing, everywhere)
            unread = sum(
                max(0, watermarks_of(deployment.connection, TopicPartition(*part))[1] - start)
                for part, start in starts.items()
            )
            recovery.add(
                f"create {name} anew with {topics.partitions} partitions; bring its {unread} unread "
                "offsets to the partitions of their accounts",
                partial(_narrow, deployment, name, kept, starts),
            )
            recovery.losses.append(
                f"{name}: the records that the journal has read, and with them the ids in its dedupe window"
            )


def _unread(
    deployment: _StoppedPipeline, topic: str, count: int, existing: dict[str, int], everywhere: set[str]
) -> dict[tuple[str, int], int]:
    """Return from where each partition of a topic is not read yet."""
    name, starts = deployment.topics.name(topic), dict[tuple[str, int], int]()
    for partition in range(count):
        last = None
        if partition < deployment.topics.partitions:
            last = deployment.last(deployment.journal, partition, existing)
        elif topic in everywhere:
            continue  # a copy of what is in every other partition
        read = {} if last is None else input_positions(deployment.batches.decode(last.value), last.headers)
        starts[name, partition] = read[topic].offset if topic in read else 0
    return starts


def _narrow(deployment: _StoppedPipeline, name: str, kept: str, starts: dict[tuple[str, int], int]) -> None:
    if kept in topic_partitions(deployment.connection):
        deployment.admin.delete_topics([kept], operation_timeout=_SECONDS)[kept].result(_SECONDS)
    partitions = deployment.topics.partitions
    spec = next(spec for spec in deployment.topics.specs() if spec.name == name)
    created = [NewTopic(kept, partitions, deployment.topics.replication, config=spec.config)]
    deployment.admin.create_topics(created, operation_timeout=_SECONDS)[kept].result(_SECONDS)
    parts = [TopicPartition(*part, start) for part, start in starts.items()]
    _copy(deployment, read_to_end(deployment.connection, parts), kept, by_key=True)
    deployment.recreate(name)
    _bring_back(deployment, name, kept)


def _bring_back(deployment: _StoppedPipeline, name: str, kept: str) -> None:
    if name not in topic_partitions(deployment.connection):
        create_topics(deployment.connection, deployment.topics)
    parts = [TopicPartition(kept, partition, 0) for partition in range(deployment.topics.partitions)]
    _copy(deployment, read_to_end(deployment.connection, parts), name, by_key=False)
    deployment.admin.delete_topics([kept], operation_timeout=_SECONDS)[kept].result(_SECONDS)


def _copy(deployment: _StoppedPipeline, records: Iterator[KafkaRecord], to: str, *, by_key: bool) -> None:
    """Write records to a topic: each to its partition, or to its account's where there is none."""
    transactional_id, partitions = f"{deployment.topics.prefix}bellbuoy-recover", deployment.topics.partitions

    def copied(record: KafkaRecord) -> _Written:
        partition = record.partition
        if by_key and partition >= partitions:
            partition = partition_of(record.key, partitions) if record.key else partition % partitions
        return record.value, record.key, partition, record.headers

    while some := [copied(record) for record in islice(records, _COPY_RECORDS)]:
        deployment.write(transactional_id, to, some)
    deployment.await_visible(transactional_id)
