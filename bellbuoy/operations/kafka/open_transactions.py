"""The check for transactions that other producers leave open on the inputs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

from confluent_kafka import Consumer, IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # re-exported

from schemas.connection import Connection
from schemas.inputs import INPUT_TOPICS
from schemas.topics import Topics
from streams.kafka.answer import answer
from streams.kafka.log_position import Part
from streams.kafka.open_transaction import OpenTransaction

__all__ = ["open_transactions"]

_MOST_SECONDS = 75.0
"""As long as the journal waits before it says so."""


def open_transactions(connection: Connection, topics: Topics, seconds: float = 5.0) -> list[str]:
    """Return those that have been open for too long, each with what to do; raise KafkaException."""
    admin = AdminClient({**connection.librdkafka(), "log_level": 0})
    existing = admin.list_topics(timeout=seconds).topics
    parts = [
        TopicPartition(topics.name(topic), number)
        for topic in INPUT_TOPICS
        if topics.name(topic) in existing
        for number in existing[topics.name(topic)].partitions
    ]
    stable = _ends(admin, parts, IsolationLevel.READ_COMMITTED, seconds)
    all_ends = _ends(admin, parts, IsolationLevel.READ_UNCOMMITTED, seconds)
    open_parts = [TopicPartition(*part, end) for part, end in stable.items() if end < all_ends[part]]
    found = {
        part: OpenTransaction(stable[part], all_ends[part] - stable[part], age)
        for part, age in _ages(connection, open_parts, seconds)
        if age > _MOST_SECONDS
    }
    return [transaction.in_words(part, connection) for part, transaction in sorted(found.items())]


def _ends(
    admin: AdminClient, parts: list[TopicPartition], isolation: IsolationLevel, seconds: float
) -> dict[Part, int]:
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    answers = admin.list_offsets(
        dict.fromkeys(parts, latest), isolation_level=isolation, request_timeout=seconds
    )
    return {(part.topic, part.partition): answer(future, seconds).offset for part, future in answers.items()}


def _ages(
    connection: Connection, parts: list[TopicPartition], seconds: float
) -> Iterator[tuple[Part, float]]:
    """Yield how long ago the record at each of these offsets was written, by the record's own time."""
    consumer = Consumer(
        {
            **connection.librdkafka(),
            "group.id": "bellbuoy-check",  # assigned by hand: the group never exists on the broker
            "enable.auto.commit": False,
            "isolation.level": "read_uncommitted",
            "log_level": 0,
        }
    )
    with closing(consumer):
        for part in parts:
            consumer.assign([part])
            message = consumer.poll(seconds)
            if message is not None and message.error() is None:
                _, written_at = message.timestamp()
                yield (part.topic, part.partition), time.time() - written_at / 1000
