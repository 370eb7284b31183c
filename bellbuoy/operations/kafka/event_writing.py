"""Writing of one event of a person to its input topic, confirmed by Kafka."""

from __future__ import annotations

from bellbuoy.operations.kafka.record_writing import NewRecord, write_records
from bellbuoy.operations.kafka.registry import registry
from bellbuoy.settings import Settings
from schemas.codec.record_codec import codec
from schemas.identity.keys import account_key, partition_of
from schemas.records import InputEvent

__all__ = ["write_event"]

_SECONDS = 8.0


def write_event(settings: Settings, topic: str, event: InputEvent) -> None:
    """
    Write an event to an input topic, and return once Kafka has confirmed it.

    People act rarely, so the producer is the event's own. Raises KafkaAwayError, after which the event may
    have been written or not.
    """
    topics, key = settings.kafka.topics(), account_key(event.tenant, event.account_id)
    value = codec(topic, registry(settings)).encode(event)
    record = NewRecord(topics.name(topic), partition_of(key, topics.partitions), key, value)
    write_records(settings, [record], _SECONDS)
