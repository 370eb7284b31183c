"""Contender that only consumes: every record as a Python object, the limit of the usual client."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, TopicPartition

from bench.contenders import Contender, ContenderResult
from bench.workload.load import Load

__all__ = ["CONTENDERS", "LIMIT", "consumer"]


def consumer(load: Load) -> Consumer:
    """Return a consumer of the whole load, tuned for throughput."""
    client = Consumer(
        {
            **load.connection.librdkafka(),
            "group.id": "bench",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.message.max.bytes": 4_000_000,
            "queued.min.messages": 200_000,
        }
    )
    name = load.topics.name("usage.events")
    client.assign([TopicPartition(name, number, 0) for number in range(load.topics.partitions)])
    return client


def run(load: Load) -> ContenderResult:
    """Count the records."""
    client, count, started = consumer(load), 0, time.perf_counter()
    while count < load.events:
        count += len(client.consume(20_000, 1.0))
    seconds = time.perf_counter() - started
    client.close()
    return ContenderResult(load.events, seconds, count == load.events)


LIMIT = Contender("consume only", run)
CONTENDERS = (LIMIT,)
