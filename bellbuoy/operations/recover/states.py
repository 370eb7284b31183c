"""Recovery of states, and of the outputs: the worker folds the journal again from its beginning."""

from __future__ import annotations

from functools import partial

from bellbuoy.operations.kafka.topics import area_of
from bellbuoy.operations.recover.recovery import Recovery
from bellbuoy.operations.recover.stopped_pipeline import StoppedPipeline
from processors.state.position import Position
from schemas.records import JournalBatch
from streams.kafka.log_reader import first_record
from streams.kafka.record import KafkaRecord

__all__ = ["plan_changelog", "plan_outputs"]


def plan_changelog(deployment: StoppedPipeline, existing: dict[str, int], recovery: Recovery) -> None:
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
    deployment: StoppedPipeline, partition: int, begins: JournalBatch, first: KafkaRecord
) -> None:
    deployment.write_read(partition, first.offset if begins.sequence > 0 else 0)
    if begins.sequence > 0:
        inputs = {source.topic: source.first for source in begins.offsets if source.first}
        position = Position(
            sequence=begins.sequence - 1, offset=first.offset - 1, written_at=begins.written_at
        )
        deployment.write_position(partition, position, deployment.known_logs(None), inputs)


def plan_outputs(deployment: StoppedPipeline, existing: dict[str, int], recovery: Recovery) -> None:
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
    plan_changelog(deployment, existing, recovery)
