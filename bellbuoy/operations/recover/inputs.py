"""Recovery of input topics: the right number of partitions, with what was not read yet."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice

from confluent_kafka import TopicPartition

from bellbuoy.operations.kafka.topics import create_topics, topic_partitions
from bellbuoy.operations.recover.recovery import Recovery
from bellbuoy.operations.recover.stopped_pipeline import StoppedPipeline, WrittenRecord
from schemas.identity.keys import partition_of
from schemas.inputs import INPUT_TOPICS, INPUTS
from streams.journal.restore import input_positions
from streams.kafka.log_reader import read_to_end, watermarks_of
from streams.kafka.record import KafkaRecord

__all__ = ["plan_inputs"]

_COPY_RECORDS = 1_000
"""Records that are copied in one transaction."""


def plan_inputs(deployment: StoppedPipeline, existing: dict[str, int], recovery: Recovery) -> None:
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
    deployment: StoppedPipeline, topic: str, count: int, existing: dict[str, int], everywhere: set[str]
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


def _narrow(deployment: StoppedPipeline, name: str, kept: str, starts: dict[tuple[str, int], int]) -> None:
    if kept in topic_partitions(deployment.connection):
        deployment.delete(kept)
    deployment.create_like(name, kept)
    parts = [TopicPartition(*part, start) for part, start in starts.items()]
    _copy(deployment, read_to_end(deployment.connection, parts), kept, by_key=True)
    deployment.recreate(name)
    _bring_back(deployment, name, kept)


def _bring_back(deployment: StoppedPipeline, name: str, kept: str) -> None:
    if name not in topic_partitions(deployment.connection):
        create_topics(deployment.connection, deployment.topics)
    parts = [TopicPartition(kept, partition, 0) for partition in range(deployment.topics.partitions)]
    _copy(deployment, read_to_end(deployment.connection, parts), name, by_key=False)
    deployment.delete(kept)


def _copy(deployment: StoppedPipeline, records: Iterator[KafkaRecord], to: str, *, by_key: bool) -> None:
    """Write records to a topic: each to its partition, or to its account's where there is none."""
    transactional_id, partitions = f"{deployment.topics.prefix}bellbuoy-recover", deployment.topics.partitions

    def copied(record: KafkaRecord) -> WrittenRecord:
        partition = record.partition
        if by_key and partition >= partitions:
            partition = partition_of(record.key, partitions) if record.key else partition % partitions
        return record.value, record.key, partition, record.headers

    while some := [copied(record) for record in islice(records, _COPY_RECORDS)]:
        deployment.write(transactional_id, to, some)
    deployment.await_visible(transactional_id)
