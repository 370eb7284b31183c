"""Checks of every position of a deployment against its log: of journal, worker and delivery."""

from __future__ import annotations

from collections.abc import Iterator

from confluent_kafka import Consumer

from bellbuoy.operations.kafka.cluster import kafka_cluster
from bellbuoy.operations.kafka.topics import topic_partitions
from bellbuoy.settings import Settings
from processors.state.position import POSITION_KEY, Position, decode_position
from schemas.connection import Connection
from sinks.port import Sink
from streams.delivery.offsets import committed_positions
from streams.delivery.subscription import Subscription
from streams.journal.restore import applied_journal, input_positions, require_applied_journal
from streams.kafka.cluster import Cluster
from streams.kafka.errors import LogChangedError
from streams.kafka.log_inspector import LogInspector
from streams.kafka.log_position import LogPosition, Part
from streams.kafka.log_reader import last_record
from streams.worker.logs import StateLogs, applied_offset

__all__ = ["log_faults"]


def log_faults(settings: Settings, sinks: list[Sink]) -> Iterator[str]:
    """
    Yield what is wrong with the positions of all roles in their logs, each with the operator's move.

    Topics that are missing or have another number of partitions are left to ``topic_faults``. Raises
    KafkaException.
    """
    cluster = kafka_cluster(settings)
    topics, existing = cluster.topics, topic_partitions(cluster.connection)
    if any(existing.get(spec.name) != spec.partitions for spec in topics.specs()):
        return
    inspector = LogInspector(cluster.connection)
    said: set[str] = set()
    for fault in (*_of_pipeline(cluster, inspector), *_of_delivery(cluster, inspector, sinks)):
        if fault not in said:
            said.add(fault)
            yield fault


def _of_pipeline(cluster: Cluster, inspector: LogInspector) -> Iterator[str]:
    topics, journal = cluster.topics, cluster.topics.name("account.journal")
    read: dict[Part, LogPosition] = {}
    for number in range(topics.partitions):
        # In this order: what runs meanwhile only adds to what is read later.
        offset, applied = applied_offset(cluster, number), applied_journal(cluster, number)
        state = last_record(cluster.connection, topics.changelog, number)
        last = last_record(cluster.connection, journal, number)
        sequence = -1
        if last is not None:
            batch = cluster.codec("account.journal").decode(last.value)
            sequence, inputs = batch.sequence, input_positions(batch, last.headers)
            read |= {(topics.name(topic), number): at for topic, at in inputs.items()}
        position, headers = Position(), [] if state is None else state.headers
        if state is not None and state.value and (state.key or b"").startswith(POSITION_KEY):
            position = decode_position(state.value)
        logs = StateLogs(cluster, number, headers)
        try:
            topic_id = inspector.topics([journal])[journal].topic_id
            require_applied_journal(journal, number, applied, sequence, topic_id)
            logs.require(inspector, position, offset)
        except LogChangedError as error:
            yield str(error)
        else:
            for fault in logs.output_faults:
                yield f"{fault.sentence}: run `bellbuoy recover outputs --dry-run`"
    for fault in inspector.inspect(read, topics.partitions).faults:
        yield f"{fault.sentence}: start the journal, which reads on from where the topic has what is new"


def _of_delivery(cluster: Cluster, inspector: LogInspector, sinks: list[Sink]) -> Iterator[str]:
    for sink in sinks:
        subscription = Subscription.of(sink, cluster.topics)
        delivered = _committed(cluster.connection, subscription)
        for fault in inspector.inspect(delivered, cluster.topics.partitions).faults:
            yield (
                f"{sink.name}: {fault.sentence}: start `bellbuoy deliver`, which reads on from where the "
                "topic has what is new; `bellbuoy recover outputs` publishes all again"
            )


def _committed(connection: Connection, subscription: Subscription) -> dict[Part, LogPosition]:
    consumer = Consumer({**connection.librdkafka(), "group.id": subscription.group, "log_level": 0})
    try:
        return committed_positions(consumer, [(tp.topic, tp.partition) for tp in subscription.partitions()])
    finally:
        consumer.close()
