"""Topics of a target cluster for the Kafka sink, and a reader of what is on them."""

from __future__ import annotations

import uuid

from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.connection import Connection
from sinks.kafka.settings import KafkaTargetSettings
from tests.support.waiting import until

TOPICS = ("account.health", "account.kpis", "risk.alerts")


def created(bootstrap: Connection, **settings: object) -> KafkaTargetSettings:
    """Return the settings of new topics, with two partitions each."""
    prefix = f"target{uuid.uuid4().hex[:8]}-"
    admin = AdminClient(bootstrap.librdkafka())
    for done in admin.create_topics([NewTopic(prefix + topic, 2, 1) for topic in TOPICS]).values():
        done.result(30)
    until(lambda: all(prefix + topic in admin.list_topics(timeout=10).topics for topic in TOPICS))
    return KafkaTargetSettings.model_validate(
        {"bootstrap": str(bootstrap), "topic_prefix": prefix, "timeout_seconds": 20, **settings}
    )


def records(settings: KafkaTargetSettings) -> list[tuple[str, bytes, bytes | None]]:
    """Return topic without prefix, key and value of every record, in order within a partition."""
    reader = Consumer(
        {
            "bootstrap.servers": settings.bootstrap,
            "group.id": uuid.uuid4().hex,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    parts = [TopicPartition(settings.topic_prefix + topic, n, 0) for topic in TOPICS for n in range(2)]
    reader.assign(parts)
    found: list[tuple[str, bytes, bytes | None]] = []
    ends = 0
    try:
        while ends < len(parts):
            message = reader.poll(10.0)
            assert message is not None, "no answer of the broker"
            error = message.error()
            if error is None:
                topic = message.topic() or ""
                found.append(
                    (topic.removeprefix(settings.topic_prefix), message.key() or b"", message.value())
                )
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                ends += 1
    finally:
        reader.close()
    return found


def values(settings: KafkaTargetSettings) -> list[tuple[str, bytes]]:
    """Return topic and value of every record that is no null."""
    return [(topic, value) for topic, _, value in records(settings) if value is not None]
