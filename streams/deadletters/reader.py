"""
Reader of the dead-letter topic: each dead letter that is there, once, with its newest status.

A dead letter that was repaired or redriven is written again whole, under the same id, with its new status. So
the topic is read twice: first for the newest status of each, then for the dead letters.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from msgspec.structs import replace

from schemas.codec.errors import SchemaError
from schemas.codec.record_codec import RECORDS, Codec, codec
from schemas.codec.registry import Registry, entries
from schemas.connection import Connection
from schemas.records import DeadLetter, dead_letters
from schemas.records.dead_letters import STATUSES
from schemas.topics import Topics
from streams.kafka.log_reader import read_to_end
from streams.kafka.record import KafkaRecord

__all__ = ["DeadLetterFilter", "decoded_value", "newest", "oldest", "read_dead_letters"]


_PREFIXES = [
    b"\0" + entry.id.to_bytes(4, "big")
    for entry in reversed(entries())
    if entry.subject == "events.deadletter-value"
]
"""What stands before a dead letter of each version, the newest first, by the committed ids."""


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """
    The dead letters to read; ``None`` lets all pass.

    ``topic`` is a name without prefix, ``since`` (inclusive) and ``until`` (exclusive) bound ``failed_at``,
    UTC milliseconds, ``ids`` are ids or the first characters of some.
    """

    reason: str | None = None
    topic: str | None = None
    tenant: str | None = None
    producer: str | None = None
    status: str | None = None
    since: int | None = None
    until: int | None = None
    ids: tuple[str, ...] | None = None

    def matches(self, letter: DeadLetter, topics: Topics) -> bool:
        """Return whether a dead letter is wanted."""
        return (
            self.reason in (None, letter.reason)
            and self.topic in (None, topics.plain(letter.topic))
            and self.tenant in (None, letter.tenant)
            and self.producer in (None, letter.producer)
            and self.status in (None, letter.status)
            and (self.since is None or letter.failed_at >= self.since)
            and (self.until is None or letter.failed_at < self.until)
            and (self.ids is None or letter.id.startswith(self.ids))
        )


def read_dead_letters(
    connection: Connection, topics: Topics, wanted: DeadLetterFilter
) -> Iterator[DeadLetter]:
    """
    Yield the wanted dead letters from the topic's start to its present end, in no order across partitions.

    No schema registry is asked: whatever id a dead letter carries, it is of one of the versions known here. A
    record that is not a valid dead letter is returned as a dead letter that describes itself. Raises
    KafkaException when Kafka doesn't answer or the topic is missing. Memory grows by about 70 bytes a dead
    letter, and by the record of a repaired one.
    """
    name = topics.name("events.deadletter")
    starts = _starts(connection, name)
    changed: dict[str, DeadLetter] = {}
    for record in read_to_end(connection, starts):
        letter = _dead_letter(record)
        if _rank(letter) and _rank(letter) >= _rank(changed.get(letter.id)):
            changed[letter.id] = replace(letter, key=None, value=None, headers={})
    seen: set[int] = set()
    for record in read_to_end(connection, starts):
        letter = _dead_letter(record)
        identity = hash(letter.id)
        if identity in seen:
            continue
        seen.add(identity)
        if (newest := changed.get(letter.id)) is not None:
            letter = replace(letter, status=newest.status, mended=newest.mended, changed_at=newest.changed_at)
        if wanted.matches(letter, topics):
            yield letter


def newest(letters: Iterable[DeadLetter], n: int) -> list[DeadLetter]:
    """Return the ``n`` dead letters that failed last, the last one first."""
    return heapq.nlargest(n, letters, key=_order)


def oldest(letters: Iterable[DeadLetter], n: int) -> list[DeadLetter]:
    """Return the ``n`` dead letters that failed first, the first one first."""
    return heapq.nsmallest(n, letters, key=_order)


def decoded_value(letter: DeadLetter, topics: Topics, registry: Registry) -> Any:
    """Return the decoded value as plain dicts and lists: Avro of its topic, or JSON; else ``None``."""
    topic = topics.plain(letter.topic)
    if topic in RECORDS:
        try:
            return codec(topic, registry).decode_fields(letter.value)
        except SchemaError:
            pass  # the usual case, for which it became a dead letter
    try:
        return msgspec.json.decode(letter.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _dead_letter(record: KafkaRecord) -> DeadLetter:
    letters: Codec[DeadLetter] = codec("events.deadletter")
    value = record.value or b""
    reason = "the first byte must be 0, then a schema id"
    for prefix in _PREFIXES if value.startswith(b"\0") else ():
        try:
            return letters.decode(prefix + value[len(prefix) :])
        except SchemaError as error:
            reason = str(error)
    return dead_letters.of_record(
        reason="undecodable",
        detail=f"not a dead letter: {reason}",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=dict(record.headers),
        failed_at=0,
    )


def _rank(letter: DeadLetter | None) -> int:
    return 0 if letter is None else STATUSES.index(letter.status)


def _order(letter: DeadLetter) -> tuple[int, str, int, int]:
    return letter.failed_at, letter.topic, letter.partition, letter.offset


def _starts(connection: Connection, name: str) -> list[TopicPartition]:
    admin = AdminClient({**connection.librdkafka(), "log_level": 0})
    # All topics are listed: asking for one may create it.
    topic = admin.list_topics(timeout=10.0).topics.get(name)
    if topic is None:
        raise KafkaException(
            KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, f"no topic {name}: run `bellbuoy topics create`")
        )
    return [TopicPartition(name, number, OFFSET_BEGINNING) for number in topic.partitions]
