"""Erasure from topics: tombstones, dead letters written anew without the subject, and logs that are cut."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from bellbuoy.operations.forget.delivered import written_offsets
from bellbuoy.operations.forget.matching import SubjectMatcher
from bellbuoy.operations.forget.topic_scan import TopicHits
from bellbuoy.operations.kafka.errors import kafka_away
from bellbuoy.operations.kafka.ledger import read_positions
from bellbuoy.operations.kafka.record_writing import NewRecord, write_records
from bellbuoy.operations.kafka.registry import registry
from bellbuoy.settings import Settings
from bellbuoy.times import now
from schemas.codec.errors import SchemaError
from schemas.codec.record_codec import Codec, codec
from schemas.records import RawPayload
from schemas.times import DAY
from schemas.topics import RAW_DAYS, RAW_TOPIC
from sinks.port import Sink
from streams.delivery.subscription import Subscription
from streams.kafka.answer import answer
from streams.kafka.log_reader import read_to_end
from streams.kafka.record import KafkaRecord

__all__ = ["CUT_TOPICS", "cut_logs", "rewrite_topic", "write_tombstones"]

CUT_TOPICS = ("account.journal", "risk.alerts", "alert.notifications")
"""The logs whose beginning can be cut: nothing that runs reads it again. Inputs hold the dedupe window."""

_SECONDS = 30.0


def write_tombstones(settings: Settings, found: TopicHits) -> None:
    """Let compaction remove the subject's keys from a topic; raise KafkaAwayError."""
    name = settings.kafka.topics().name(found.topic)
    tombstones = (NewRecord(name, number, key, None) for number, key in sorted(found.keys))
    write_records(settings, tombstones, _SECONDS)


def rewrite_topic(settings: Settings, found: TopicHits, matcher: SubjectMatcher) -> int:
    """
    Write each partition of dead letters, or of kept webhooks, anew without the subject's; return how many.

    What was before is cut. Each is told by its id, so that one that is there twice after a kill is still one.
    A webhook that is older than its retention is left out. Raises KafkaAwayError.
    """
    name, written, ends = settings.kafka.topics().name(found.topic), 0, dict[int, int]()
    payloads = codec(RAW_TOPIC, registry(settings)) if found.topic == RAW_TOPIC else None

    def kept() -> Iterator[NewRecord]:
        nonlocal written
        starts = [TopicPartition(name, number, 0) for number in sorted(found.last)]
        for record in read_to_end(settings.kafka.connection(), starts):
            ends[record.partition] = record.offset + 1
            if not matcher.matches(found.topic, record) and not _is_over(payloads, record):
                written += 1
                yield NewRecord(name, record.partition, record.key, record.value, record.headers)

    write_records(settings, kept(), _SECONDS)
    _delete_before(settings, [TopicPartition(name, number, end) for number, end in ends.items()])
    return written


def cut_logs(
    settings: Settings, hits: Sequence[TopicHits], sinks: Sequence[Sink], seconds: float
) -> dict[str, str]:
    """
    Cut the logs after the subject's newest record, once everything that runs is past it.

    Returns why a topic was not cut, by its name; the others were. Raises KafkaAwayError.
    """
    deadline, refused = time.monotonic() + seconds, {}
    for found in hits:
        while True:
            behind = _behind(settings, found, sinks)
            if not behind or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        if behind:
            refused[found.topic] = behind
            continue
        name = settings.kafka.topics().name(found.topic)
        _delete_before(settings, [TopicPartition(name, n, last + 1) for n, last in found.last.items()])
    return refused


def _is_over(payloads: Codec[RawPayload] | None, record: KafkaRecord) -> bool:
    """Tell whether a kept webhook is older than its retention, which a copy would begin anew."""
    if payloads is None or record.value is None:
        return False
    try:
        received_at = payloads.decode(record.value).received_at
    except SchemaError:
        return False
    return received_at < now() - RAW_DAYS * DAY


def _behind(settings: Settings, found: TopicHits, sinks: Sequence[Sink]) -> str:
    """Return who has yet to read a topic past the subject's newest record; '' for nobody."""
    kafka = settings.kafka
    if found.topic == "account.journal":
        positions = read_positions(kafka.connection(), kafka.topics())
        # One applied batch must stay: the journal itself goes on from its last record.
        waits = any(n not in positions or positions[n].offset <= last for n, last in found.last.items())
        return "the worker has yet to apply it" if waits else ""
    name = kafka.topics().name(found.topic)
    for sink in sinks:
        if name not in Subscription.of(sink, kafka.topics()).names:
            continue
        offsets = written_offsets(settings, sink)
        if any(offsets.get(f"{found.topic}/{n}", 0) <= last for n, last in found.last.items()):
            return f"the sink {sink.name} has yet to take it"
    return ""


def _delete_before(settings: Settings, ends: list[TopicPartition]) -> None:
    admin = AdminClient({**settings.kafka.connection().librdkafka(), "log_level": 0})
    try:
        for future in admin.delete_records(ends, request_timeout=_SECONDS).values():
            answer(future, _SECONDS)
    except KafkaException as error:
        raise kafka_away(settings.kafka.connection(), error.args[0]) from None
