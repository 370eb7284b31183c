"""Writing of one event of a person to its input topic, confirmed by Kafka."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from bellbuoy.operations.kafka_errors import kafka_away
from bellbuoy.operations.registry import registry
from bellbuoy.settings import Settings
from schemas.codec.record_codec import codec
from schemas.identity.keys import account_key, partition_of
from schemas.producer_settings import DURABLE
from schemas.records import InputEvent

__all__ = ["write_event"]

_CONFIRMED_SECONDS = 8.0


def write_event(settings: Settings, topic: str, event: InputEvent) -> None:
    """
    Write an event to an input topic, and return once Kafka has confirmed it.

    People act rarely, so the producer is the event's own. Raises KafkaAwayError, after which the event may
    have been written or not.
    """
    kafka = settings.kafka
    topics, key = kafka.topics(), account_key(event.tenant, event.account_id)
    reports: list[KafkaError | None] = []

    def report(error: KafkaError | None, _message: Message) -> None:
        reports.append(error)

    producer = Producer(
        {
            **DURABLE,
            **kafka.connection().librdkafka(),
            "client.id": "bellbuoy-acts",
            "message.timeout.ms": int(_CONFIRMED_SECONDS * 1000),
            "reconnect.backoff.max.ms": 500,
            "log_level": 2,
        },
        error_cb=lambda _: None,  # what goes wrong is in the report
    )
    try:
        producer.produce(
            topics.name(topic),
            codec(topic, registry(settings)).encode(event),
            key,
            partition_of(key, topics.partitions),
            on_delivery=report,
        )
        producer.flush(_CONFIRMED_SECONDS + 1)
    except KafkaException as error:
        raise kafka_away(kafka.connection(), error.args[0]) from None
    if not reports or reports[0] is not None:
        failed = reports[0] if reports else None
        raise kafka_away(kafka.connection(), failed or "it didn't confirm it in time")
