"""Writing of records of any topics, confirmed by Kafka."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from bellbuoy.operations.kafka.errors import kafka_away
from bellbuoy.settings import Settings
from schemas.producer_settings import DURABLE
from schemas.topics import MAX_DEAD_LETTER_BYTES

__all__ = ["NewRecord", "write_records"]


class NewRecord(NamedTuple):
    """A record to write; ``topic`` is the broker's name, prefix included; a tombstone has no value."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


def write_records(settings: Settings, records: Iterable[NewRecord], seconds: float) -> None:
    """
    Write records in their order, and return once Kafka has confirmed all of them.

    Each may take ``seconds``. Raises KafkaAwayError, after which some may have been written.
    """
    connection, failures = settings.kafka.connection(), list[KafkaError]()

    def confirmed(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failures.append(error)

    producer = Producer(
        {
            **DURABLE,
            **connection.librdkafka(),
            "client.id": "bellbuoy-operations",
            "message.max.bytes": MAX_DEAD_LETTER_BYTES,
            "message.timeout.ms": int(seconds * 1000),
            "compression.type": "lz4",
            "reconnect.backoff.max.ms": 500,
            "log_level": 0,
        },
        error_cb=lambda _: None,  # what goes wrong is in the report
    )
    for topic, partition, key, value, headers in records:
        while True:
            try:
                producer.produce(topic, value, key, partition, confirmed, headers=list(headers))
                break
            except BufferError:
                producer.poll(0.1)
            except KafkaException as error:
                raise kafka_away(connection, error.args[0]) from None
        producer.poll(0)
    waiting = producer.flush(seconds + 1)
    if waiting or failures:
        raise kafka_away(connection, failures[0] if failures else "no answer")
