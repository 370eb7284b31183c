"""Producer of dead letters to ``events.deadletter``, outside any transaction."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog
from confluent_kafka import KafkaError, Producer

from schemas.codec.record_codec import codec
from schemas.codec.registry import Registry
from schemas.connection import Connection
from schemas.identity.keys import split_key
from schemas.producer_settings import DURABLE
from schemas.records import DeadLetter, dead_letters
from schemas.topics import MAX_DEAD_LETTER_BYTES, Topics
from streams.kafka.record import KafkaRecord

__all__ = ["DeadLetterProducer", "DeadLetterProducerError"]

log = structlog.get_logger(__name__)


class DeadLetterProducerError(Exception):
    """
    A dead letter could not be written, so the record in it must not be skipped.

    Operator action: see what Kafka refuses about events.deadletter; the process starts again where it was.
    """


class DeadLetterProducer:
    """Sends dead letters; ``flush`` before skipping the records that are in them."""

    def __init__(self, connection: Connection, topics: Topics, registry: Registry) -> None:
        self._topic = topics.name("events.deadletter")
        self._codec = codec("events.deadletter", registry)
        self._failure: KafkaError | None = None
        self._producer = Producer(
            {
                **DURABLE,
                **connection.librdkafka(),
                "client.id": "bellbuoy-parking",
                "compression.type": "lz4",
                "message.max.bytes": MAX_DEAD_LETTER_BYTES,
                "log_level": 2,  # an error that matters fails the delivery of a dead letter
            }
        )

    def send_record(self, record: KafkaRecord, reason: str, detail: str, sink: str = "") -> None:
        """
        Send a record, which a ``sink`` may have refused, as a dead letter.

        The same record gives the same dead letter id each time.
        """
        letter = dead_letters.of_record(
            reason=reason,
            detail=detail,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=record.key,
            value=record.value,
            headers=dict(record.headers),
            tenant=_tenant(record.key),
            failed_at=time.time_ns() // 1_000_000,
            sink=sink,
        )
        self.send(letter, record.key)
        log.warning(
            "Record sent to the dead-letter topic.",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=reason,
            detail=detail,
            id=letter.id,
        )

    def send(self, letter: DeadLetter, key: bytes | None) -> None:
        """Send a dead letter; wait for room while the client's buffer is full."""
        while True:
            try:
                self._producer.produce(
                    self._topic, self._codec.encode(letter), key, on_delivery=self._delivered
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def flush(self, while_waiting: Callable[[], None] = lambda: None) -> None:
        """
        Return once Kafka has every dead letter; ``while_waiting`` is called about every second until then.

        Raises DeadLetterProducerError when Kafka refuses one, and whatever ``while_waiting`` raises.
        """
        while self._producer.flush(1.0):
            while_waiting()
        if self._failure is not None:
            raise DeadLetterProducerError(f"{self._topic} can't be written: {self._failure.str()}")

    def _delivered(self, error: KafkaError | None, _: Any) -> None:
        self._failure = self._failure or error


def _tenant(key: bytes | None) -> str | None:
    try:
        return split_key(key)[0] if key else None
    except ValueError:
        return None
