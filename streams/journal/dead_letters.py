"""Dead letters of the records and events that the journal does not admit."""

from __future__ import annotations

from processors.intake.admission import NotAdmitted
from schemas.codec.errors import EnvelopeTooLargeError, SchemaError, UnknownSchemaError
from schemas.records import DeadLetter, dead_letters
from streams.journal.usage_reader import DecodedEvent
from streams.kafka.headers import TOPIC_ID_HEADER
from streams.kafka.record import KafkaRecord

__all__ = ["not_admitted", "undecodable"]


def undecodable(record: KafkaRecord, topic: str, error: SchemaError, now: int, topic_id: bytes) -> DeadLetter:
    """Return the dead letter of a record that can't be decoded; ``now`` is the journal's time."""
    match error:
        case UnknownSchemaError():
            refusal = NotAdmitted("unknown_schema", str(error), None)
        case EnvelopeTooLargeError():
            refusal = NotAdmitted("invalid", str(error), "/events")
        case _:
            refusal = NotAdmitted("undecodable", str(error), None)
    return _dead_letter(record, topic, refusal, now, None, topic_id)


def not_admitted(
    record: KafkaRecord, topic: str, refusal: NotAdmitted, now: int, event: DecodedEvent, topic_id: bytes
) -> DeadLetter:
    """Return the dead letter of an event that is not admitted; ``record`` holds that event alone."""
    return _dead_letter(record, topic, refusal, now, event, topic_id)


def _dead_letter(
    record: KafkaRecord,
    topic: str,
    refusal: NotAdmitted,
    now: int,
    event: DecodedEvent | None,
    topic_id: bytes,
) -> DeadLetter:
    return dead_letters.of_record(
        reason=refusal.reason,
        detail=refusal.detail,
        pointer=refusal.pointer,
        topic=topic,
        partition=record.partition,
        offset=record.offset,
        index=0 if event is None else event.event_index,
        key=record.key,
        value=record.value,
        topic_id=topic_id,
        headers=dict(record.headers) | ({TOPIC_ID_HEADER: topic_id} if topic_id else {}),
        producer=None if event is None else event.fields["source"],
        tenant=None if event is None else event.fields["tenant"],
        failed_at=now,
    )
