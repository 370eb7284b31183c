"""Contender Bellbuoy on envelopes: the same events, a hundred of a partition in one record."""

from __future__ import annotations

import dataclasses
from collections import defaultdict

from confluent_kafka import Producer

from bench.contenders import Contender, ContenderResult, pipeline
from bench.contenders.consume_only import consumer
from bench.processes.broker import fresh_topics
from bench.workload.load import Load
from schemas.codec.envelope import Envelopes
from schemas.producer_settings import DURABLE

__all__ = ["CONTENDERS"]

_EVENTS_PER_ENVELOPE = 100


def run(load: Load) -> ContenderResult:
    """Repack the load, which is not timed, and run both stages on it."""
    return pipeline.run(_repacked(load))


def _repacked(load: Load) -> Load:
    """Write the load's events to new topics, in their order, in envelopes."""
    topics = fresh_topics(load.connection)
    producer = Producer(
        {
            **DURABLE,
            **load.connection.librdkafka(),
            "linger.ms": 20,
            "batch.size": 200_000,
            "compression.type": "lz4",
        }
    )
    name, envelopes = topics.name("usage.events"), Envelopes()
    waiting: dict[int, list[tuple[bytes | None, bytes]]] = defaultdict(list)

    def write(partition: int) -> None:
        events = waiting.pop(partition)
        for value, _ in envelopes.pack(value for _, value in events):
            producer.produce(name, value, events[0][0], partition)
        producer.poll(0)

    client, count = consumer(load), 0
    while count < load.events:
        for message in client.consume(20_000, 1.0):
            partition, value = message.partition(), message.value()
            assert partition is not None
            assert value is not None
            waiting[partition].append((message.key(), value))
            count += 1
            if len(waiting[partition]) == _EVENTS_PER_ENVELOPE:
                write(partition)
    client.close()
    for partition in list(waiting):
        write(partition)
    producer.flush()
    return dataclasses.replace(load, topics=topics)


CONTENDERS = (Contender(f"bellbuoy, envelopes of {_EVENTS_PER_ENVELOPE}", run),)
