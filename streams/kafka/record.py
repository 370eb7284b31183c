"""A Kafka record as it was read, free of librdkafka's optional types."""

from __future__ import annotations

from typing import NamedTuple, cast

from confluent_kafka import Message

__all__ = ["END_KEY", "KafkaRecord", "kafka_record"]

END_KEY = b"\0end"
"""Key, which no account has, of a record without value that is written for its transaction's end alone."""


class KafkaRecord(NamedTuple):
    """
    One record as read; ``topic`` is the broker's name, prefix included.

    ``appended_at`` is the record's time on the broker, UTC milliseconds; 0: not known.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    appended_at: int = 0

    @property
    def only_ends(self) -> bool:
        """Whether the record says nothing: it was written for its transaction's end alone."""
        return self.value is None and self.key == END_KEY

    @property
    def nbytes(self) -> int:
        """The size of key, value and headers in bytes."""
        headers = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers


def kafka_record(message: Message) -> KafkaRecord:
    """Return the record in a message that carries no error."""
    headers = cast("list[tuple[str, bytes | None]] | None", message.headers())
    return KafkaRecord(
        cast("str", message.topic()),
        cast("int", message.partition()),
        cast("int", message.offset()),
        message.key(),
        message.value(),
        [(name, value or b"") for name, value in headers] if headers else [],
        max(0, message.timestamp()[1]),
    )
