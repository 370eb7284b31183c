"""The events in a topic, read once from its start to its end."""

from __future__ import annotations

import time
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.connection import Connection
from schemas.identity.keys import partition_of
from schemas.topics import Topics
from tests.support.gateway_client import events_in


def stored_events(bootstrap: Connection, topics: Topics, topic: str) -> list[Any]:
    """Read a topic from its start to its end; check that each record is where its key belongs."""
    consumer = Consumer({**bootstrap.librdkafka(), "group.id": "reader", "enable.auto.commit": False})
    name, records = topics.name(topic), []
    try:
        for partition in range(topics.partitions):
            at = TopicPartition(name, partition, 0)
            end = _last_offset(consumer, at)
            consumer.assign([at])
            position = 0
            while position < end:
                message = consumer.poll(10)
                assert message is not None
                assert message.error() is None
                assert topic == "events.deadletter" or partition == partition_of(
                    message.key(), topics.partitions
                )
                value, offset = message.value(), message.offset()
                assert value is not None
                assert offset is not None
                records += events_in(topic, value)
                position = offset + 1
    finally:
        consumer.close()
    return records


def _last_offset(consumer: Consumer, at: TopicPartition) -> int:
    """Ask until the partition, perhaps just created, has a leader that answers."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return consumer.get_watermark_offsets(at, timeout=10)[1]
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
