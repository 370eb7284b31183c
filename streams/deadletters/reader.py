"""
Reads ``events.deadletter``: every letter that is there, once, as it stands now.

A letter that was repaired or redriven is written again whole, under the same id, with its new status. So
the topic is read twice: for what became of letters, then for the letters.
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
from schemas.codec.record_codec import RECORDS, codec
from schemas.codec.registry import Registry
from schemas.records import DeadLetter, dead_letters
from schemas.records.dead_letters import STATUSES
from schemas.topics import Topics
from streams.kafka.clients import Record, read_to_end

__all__ = ["Filter", "decoded", "newest", "oldest", "read"]


@dataclass(frozen=True, slots=True)
class Filter:
    """
    Which letters; ``None`` lets all through.

    ``topic`` is a name without prefix, ``since`` (inclusive) and ``until`` are times at which letters
    were set aside, UTC milliseconds, ``ids`` are ids or the first characters of some.
    """

    reason: str | None = None
    topic: str | None = None
    tenant: str | None = None
    producer: str | None = None
    status: str | None = None
    since: int | None = None
    until: int | None = None
    ids: tuple[str, ...] | None = None

    def passes(self, letter: DeadLetter, topics: Topics) -> bool:
        """Tell whether a letter is wanted."""
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


def read(bootstrap: str, topics: Topics, registry: Registry, wanted: Filter) -> Iterator[DeadLetter]:
    """
    Yield the wanted letters from the topic's start to its present end, in no order across partitions.

    What is no letter is shown as one about itself. Raises KafkaException when Kafka doesn't answer or
    the topic is missing. Memory grows by about 70 bytes a letter, and by the record of a repaired one.
    """
    name, letters = topics.name("events.deadletter"), codec("events.deadletter", registry)
    starts = _starts(bootstrap, name)
    became: dict[str, DeadLetter] = {}
    for found in read_to_end(bootstrap, starts):
        letter = _letter(found, letters)
        if _rank(letter) and _rank(letter) >= _rank(became.get(letter.id)):
            became[letter.id] = replace(letter, key=None, value=None, headers={})
    seen: set[int] = set()
    for found in read_to_end(bootstrap, starts):
        letter = _letter(found, letters)
        identity = hash(letter.id)
        if identity in seen:
            continue
        seen.add(identity)
        if (now := became.get(letter.id)) is not None:
            letter = replace(letter, status=now.status, mended=now.mended, changed_at=now.changed_at)
        if wanted.passes(letter, topics):
            yield letter


def newest(letters: Iterable[DeadLetter], n: int) -> list[DeadLetter]:
    """Return the ``n`` letters written last, the last one first."""
    return heapq.nlargest(n, letters, key=_order)


def oldest(letters: Iterable[DeadLetter], n: int) -> list[DeadLetter]:
    """Return the ``n`` letters written first, the first one first."""
    return heapq.nsmallest(n, letters, key=_order)


def decoded(letter: DeadLetter, topics: Topics, registry: Registry) -> Any:
    """Return what the value says, as plain dicts and lists: Avro of its topic, or JSON; else ``None``."""
    topic = topics.plain(letter.topic)
    if topic in RECORDS:
        try:
            return codec(topic, registry).decode_fields(letter.value)
        except SchemaError:
            pass  # the usual case: that is why it is a dead letter
    try:
        return msgspec.json.decode(letter.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _letter(found: Record, letters: Any) -> DeadLetter:
    try:
        letter: DeadLetter = letters.decode(found.value)
    except SchemaError as error:
        return dead_letters.of_record(
            reason="undecodable",
            detail=f"not a dead letter: {error}",
            topic=found.topic,
            partition=found.partition,
            offset=found.offset,
            key=found.key,
            value=found.value,
            headers=dict(found.headers),
            failed_at=0,
        )
    return letter


def _rank(letter: DeadLetter | None) -> int:
    return 0 if letter is None else STATUSES.index(letter.status)


def _order(letter: DeadLetter) -> tuple[int, str, int, int]:
    return letter.failed_at, letter.topic, letter.partition, letter.offset


def _starts(bootstrap: str, name: str) -> list[TopicPartition]:
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    # Without a name: asking for one topic may create it.
    found = admin.list_topics(timeout=10.0).topics.get(name)
    if found is None:
        raise KafkaException(
            KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, f"no topic {name}: run `bellbuoy topics create`")
        )
    return [TopicPartition(name, number, OFFSET_BEGINNING) for number in found.partitions]
