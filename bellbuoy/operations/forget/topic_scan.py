"""Scan of every topic for records of a subject, with the time at which Kafka removes the last of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are re-exported
    AdminClient,
    ConfigResource,
    ResourceType,
)

from bellbuoy.operations.forget.matching import SubjectMatcher
from bellbuoy.operations.kafka.errors import kafka_away
from bellbuoy.settings import Settings
from schemas.times import HOUR, MINUTE
from schemas.topics import KEYS_TOPIC, TopicSpec
from streams.kafka.answer import answer
from streams.kafka.log_reader import read_to_end

__all__ = ["TopicHits", "scan_topics"]

_TIMEOUT_SECONDS = 10.0
_BROKER_DELAY = 10 * MINUTE
"""Kafka looks for what is over every 5 minutes, and deletes files a minute after that."""


@dataclass(slots=True)
class TopicHits:
    """
    The records of a subject on one topic (name without prefix).

    ``last`` maps a partition to the offset of the newest one. ``keys`` are the keys of those on a compacted
    topic, with their partitions. ``until`` is when Kafka has removed them, UTC milliseconds (``None``: its
    retention has no end).
    """

    topic: str
    compacted: bool
    records: int
    last: dict[int, int]
    keys: set[tuple[int, bytes]]
    until: int | None


def scan_topics(
    settings: Settings, matcher: SubjectMatcher, now: int, progress: Callable[[int], None]
) -> Iterator[TopicHits]:
    """
    Yield what there is of a subject on each topic that has any; raise KafkaAwayError.

    ``progress`` is called with how many records are read so far.
    """
    kafka = settings.kafka
    topics, read = kafka.topics(), 0
    for spec in topics.specs():
        plain = topics.plain(spec.name)
        if plain in ("erased.subjects", KEYS_TOPIC, "simulation.clock"):
            continue
        found = TopicHits(plain, spec.config["cleanup.policy"].startswith("compact"), 0, {}, set(), 0)
        newest = 0
        starts = [TopicPartition(spec.name, number, 0) for number in range(spec.partitions)]
        try:
            for record in read_to_end(kafka.connection(), starts):
                read += 1
                if read % 10_000 == 0:
                    progress(read)
                if matcher.matches(plain, record):
                    found.records += 1
                    found.last[record.partition] = max(record.offset, found.last.get(record.partition, -1))
                    newest = max(newest, record.appended_at)
                    if found.compacted and record.key is not None:
                        found.keys.add((record.partition, record.key))
        except KafkaException as error:
            raise kafka_away(kafka.connection(), error.args[0]) from None
        if found.records:
            found.until = _gone_at(_config(settings, spec), found, newest or now, now)
            yield found


def _config(settings: Settings, spec: TopicSpec) -> dict[str, int]:
    admin = AdminClient({**settings.kafka.connection().librdkafka(), "log_level": 0})
    resource = ConfigResource(ResourceType.TOPIC, spec.name)
    try:
        [future] = admin.describe_configs([resource], request_timeout=_TIMEOUT_SECONDS).values()
        entries: dict[str, Any] = answer(future, _TIMEOUT_SECONDS)
    except KafkaException as error:
        raise kafka_away(settings.kafka.connection(), error.args[0]) from None
    names = ("retention.ms", "segment.ms", "max.compaction.lag.ms")
    return {name: int(entries[name].value) for name in names}


def _gone_at(config: dict[str, int], found: TopicHits, newest: int, now: int) -> int | None:
    """Return when Kafka has removed the newest record: its segment is kept from its end on."""
    if found.compacted:
        lag = config["max.compaction.lag.ms"]
        return max(now, newest) + config["segment.ms"] + min(lag, 400 * 24 * HOUR) + _BROKER_DELAY
    if config["retention.ms"] < 0:
        return None
    return newest + config["segment.ms"] + config["retention.ms"] + _BROKER_DELAY
