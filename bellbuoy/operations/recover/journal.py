"""Recovery of a journal: it goes on at the states, and what came after them is read from the inputs again."""

from __future__ import annotations

from functools import partial

from confluent_kafka import TopicPartition
from msgspec.structs import replace

from bellbuoy.operations.recover.recovery import Recovery
from bellbuoy.operations.recover.stopped_pipeline import StoppedPipeline
from processors.state.position import Position
from schemas.inputs import INPUT_TOPICS
from schemas.records import JournalBatch, SourceRange
from streams.kafka.log_inspector import LogInspector
from streams.kafka.log_position import LogPosition
from streams.kafka.log_reader import end_offsets, last_record, watermarks_of
from streams.kafka.record import KafkaRecord
from streams.worker.logs import inputs_read

__all__ = ["plan_journal"]


def plan_journal(deployment: StoppedPipeline, existing: dict[str, int], recovery: Recovery) -> None:
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
    deployment: StoppedPipeline, partition: int, record: KafkaRecord, recovery: Recovery
) -> dict[str, int]:
    """Return how far each input was read when the states came to their position."""
    inputs = inputs_read(record.headers)
    if inputs is None:
        inputs = deployment.committed_inputs(partition)
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
    deployment: StoppedPipeline,
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
        deployment.cut(deployment.journal, partition, written.offset)
