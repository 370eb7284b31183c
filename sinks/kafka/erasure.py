"""Erasure on the topics of another cluster: what of a subject is there, what ends it, and when it is gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are re-exported
    AdminClient,
    ConfigResource,
    ResourceType,
)

from schemas.codec.errors import SchemaError
from schemas.identity.keys import account_key
from schemas.identity.naming import named_by, names
from schemas.times import DAY, MINUTE
from sinks.port import Output, Subject, version

__all__ = ["SubjectRecords", "find_records", "gone_at"]

_BROKER_DELAY = 10 * MINUTE
"""Kafka looks for what is over every 5 minutes, and deletes files a minute after that."""


class SubjectRecords(NamedTuple):
    """The records of a subject on one topic: how many, when the newest was written, and keys to end."""

    total: int
    newest_at: int
    keys: frozenset[bytes]


def find_records(
    client: dict[str, Any], topic: str, decode: Callable[[bytes], Output], subject: Subject, seconds: float
) -> SubjectRecords:
    """
    Return what a topic has of a subject; raise KafkaException.

    ``keys`` are those whose newest record is of the account and of before ``Subject.until``: a null after it
    lets a compacted topic forget it. Of a person there are none: the account's next record has no name.
    """
    ours, pattern = _key(subject), named_by(subject.texts)
    count, newest_at, last_is_old = 0, 0, False
    for message in _records(client, topic, seconds):
        value = message.value()
        if ours is not None:
            if message.key() != ours:
                continue
            if value is None:
                last_is_old = False
                continue
        elif value is None or not _of_tenant(message, subject):
            continue
        try:
            record = decode(value)
        except (msgspec.DecodeError, SchemaError):
            continue  # none of ours
        if ours is None:
            found = names(msgspec.to_builtins(record), pattern)
        else:
            found = last_is_old = version(record)[0] <= subject.until
        if found:
            count, newest_at = count + 1, max(newest_at, message.timestamp()[1])
    return SubjectRecords(count, newest_at, frozenset({ours} if ours is not None and last_is_old else ()))


def gone_at(client: dict[str, Any], found: Mapping[str, SubjectRecords], seconds: float) -> int | None:
    """Return when the last record is gone, by retention; ``None``: never. Raises KafkaException."""
    if not found:
        return 0
    resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in found]
    admin = AdminClient(client)  # it ends its requests when it is dropped
    futures = admin.describe_configs(resources, request_timeout=seconds)
    ends = [
        _topic_gone_at(
            {name: entry.value for name, entry in future.result(2 * seconds).items()}, found[each.name]
        )
        for each, future in futures.items()
    ]
    known = [end for end in ends if end is not None]
    return max(known) if len(known) == len(ends) else None


def _topic_gone_at(config: dict[str, str], found: SubjectRecords) -> int | None:
    now, segment = int(time.time() * 1000), int(config["segment.ms"])
    ends = []
    if "compact" in config["cleanup.policy"]:
        lag = min(int(config["max.compaction.lag.ms"]), 400 * DAY)
        ends.append(now + segment + lag + _BROKER_DELAY)
    if "delete" in config["cleanup.policy"] and int(config["retention.ms"]) >= 0:
        ends.append(found.newest_at + segment + int(config["retention.ms"]) + _BROKER_DELAY)
    return min(ends, default=None)


def _key(subject: Subject) -> bytes | None:
    return None if subject.account_id is None else account_key(subject.tenant, subject.account_id)


def _of_tenant(message: Message, subject: Subject) -> bool:
    return (message.key() or b"").startswith(account_key(subject.tenant, ""))


def _records(client: dict[str, Any], topic: str, seconds: float) -> Iterator[Message]:
    """Yield every record of a topic up to its present end, in the order of each partition."""
    consumer = Consumer(
        {
            **client,
            "group.id": "bellbuoy-reader",  # assigned by hand: the group never exists on the broker
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    try:
        numbers = consumer.list_topics(topic, timeout=seconds).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in numbers])
        unfinished = set(numbers)
        while unfinished:
            message = consumer.poll(seconds)
            if message is None:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "the end did not come"))  # noqa: SLF001
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                unfinished.discard(message.partition() or 0)
            else:
                raise KafkaException(error)
    finally:
        consumer.close()
