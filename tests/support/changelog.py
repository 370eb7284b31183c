"""Reader of topics and of the changelog's totals, independent of the product's own state code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, TopicPartition

from processors.state.position import POSITION_KEY, decode_position, is_account
from schemas.connection import Connection
from schemas.topics import Topics


@dataclass
class ChangelogTotals:
    """
    The totals in the compacted changelog.

    ``applied`` and ``usage`` count events by account key, ``sequences`` are the positions' by partition.
    """

    applied: dict[str, int] = field(default_factory=dict)
    usage: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    dead_letters: int = 0
    moved: int = 0
    sequences: dict[int, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.applied.values())


def read_topic(bootstrap: Connection, topic: str, partitions: int = 4) -> list[Any]:
    """Return every committed message of a topic (its name on the broker)."""
    consumer = Consumer(
        {
            **bootstrap.librdkafka(),
            "group.id": "independent-reader",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
        }
    )
    consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    unfinished, messages = set(range(partitions)), []
    while unfinished:
        first = consumer.poll(1.0)
        for message in () if first is None else (first, *consumer.consume(5_000, 0)):
            if message.error() is None:
                messages.append(message)
            elif message.error().code() == KafkaError._PARTITION_EOF:
                unfinished.discard(message.partition())
    consumer.close()
    return messages


def changelog_totals(bootstrap: Connection, topics: Topics) -> ChangelogTotals:
    """Return the totals of the newest records in the changelog."""
    last: dict[bytes, Any] = {}
    for message in read_topic(bootstrap, topics.changelog, topics.partitions):
        last[message.key()] = message
    result = ChangelogTotals()
    for key, message in last.items():
        if key.startswith(POSITION_KEY):
            position = decode_position(message.value())
            result.sequences[message.partition()] = position.sequence
            result.duplicates += position.duplicates
            result.dead_letters += position.dead_letters
            result.moved += position.moved
        elif is_account(key):
            fields = msgspec.msgpack.decode(message.value(), strict=False)
            result.applied[key.decode()] = fields[2]
            result.usage[key.decode()] = sum(day[0] for day in fields[5][0].values())
    return result
