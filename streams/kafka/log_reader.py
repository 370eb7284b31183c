"""A reader of committed records: a log up to its present end, its last record, or where it ends."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.connection import Connection
from streams.kafka.client_settings import RECONNECT_QUIETLY
from streams.kafka.errors import END_OF_PARTITION, LEADER_UNKNOWN, TIMED_OUT
from streams.kafka.record import KafkaRecord, kafka_record
from streams.kafka.retry import REQUEST_SECONDS, retry

__all__ = [
    "end_offsets",
    "first_record",
    "last_record",
    "read_to_end",
    "record_at",
    "watermarks",
    "watermarks_of",
]

_FIRST_LOOK_BACK, _LOOK_BACK_GROWTH = 16, 8
"""Offsets read back in search of the last record: transaction markers and aborted records take some too."""


def watermarks(consumer: Consumer, partition: TopicPartition) -> tuple[int, int]:
    """
    Return the first offset of a partition and the offset after its last one.

    A partition that has no leader yet, or none just now, is asked again for a minute.
    """

    def refresh_metadata() -> None:
        # Once librdkafka has learned that a partition is unknown, it believes so for minutes.
        with suppress(KafkaException):
            consumer.list_topics(partition.topic, timeout=REQUEST_SECONDS)

    return retry(
        lambda: consumer.get_watermark_offsets(partition, timeout=REQUEST_SECONDS),
        LEADER_UNKNOWN,
        refresh_metadata,
    )


def watermarks_of(connection: Connection, partition: TopicPartition) -> tuple[int, int]:
    """Return the first offset of a partition and the offset after its last one; uses its own client."""
    consumer = _consumer(connection)
    try:
        return watermarks(consumer, partition)
    finally:
        consumer.close()


def end_offsets(connection: Connection, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    """Return the end offset of these partitions of a topic, by partition number."""
    consumer = _consumer(connection)
    try:
        return {number: watermarks(consumer, TopicPartition(topic, number))[1] for number in partitions}
    finally:
        consumer.close()


def read_to_end(connection: Connection, starts: Sequence[TopicPartition]) -> Iterator[KafkaRecord]:
    """
    Yield every committed record of these partitions, from the offsets given to the present end.

    Raises KafkaException, also when no record came for a minute though the end is not reached.
    """
    if not starts:
        return
    consumer = _consumer(connection)
    try:
        consumer.assign(list(starts))
        unfinished = {(start.topic, start.partition) for start in starts}
        silent_since = time.monotonic()
        while unfinished:
            first = consumer.poll(0.1)  # consume() alone would wait for the full number, even at the end
            messages = [] if first is None else [first, *consumer.consume(10_000, 0)]
            if messages:
                silent_since = time.monotonic()
            elif time.monotonic() - silent_since > 2 * REQUEST_SECONDS:
                raise KafkaException(KafkaError(TIMED_OUT, "the log's end did not come"))
            for message in messages:
                error = message.error()
                if error is None:
                    record = kafka_record(message)
                    if not record.only_ends:
                        yield record
                elif error.code() == END_OF_PARTITION:
                    unfinished.discard((message.topic(), message.partition()))
                else:
                    raise KafkaException(error)
    finally:
        consumer.close()


def first_record(connection: Connection, topic: str, partition: int, offset: int) -> KafkaRecord | None:
    """Return the first committed record of a partition from an offset on, or ``None`` when there is none."""
    return next(read_to_end(connection, [TopicPartition(topic, partition, offset)]), None)


def last_record(connection: Connection, topic: str, partition: int) -> KafkaRecord | None:
    """Return the last committed record of a partition, or ``None`` when it holds none."""
    low, high = watermarks_of(connection, TopicPartition(topic, partition))
    look_back = _FIRST_LOOK_BACK
    while high > low:
        start = max(low, high - look_back)
        read = deque(read_to_end(connection, [TopicPartition(topic, partition, start)]), maxlen=1)
        if read or start == low:
            return read[0] if read else None
        look_back *= _LOOK_BACK_GROWTH
    return None


def record_at(connection: Connection, topic: str, partition: int, offset: int) -> KafkaRecord | None:
    """Return the committed record at an offset, or ``None`` when it isn't there any more."""
    first, end = watermarks_of(connection, TopicPartition(topic, partition))
    if not first <= offset < end:
        return None
    record = next(read_to_end(connection, [TopicPartition(topic, partition, offset)]), None)
    return record if record is not None and record.offset == offset else None


def _consumer(connection: Connection) -> Consumer:
    return Consumer(
        {
            **connection.librdkafka(),
            "group.id": "bellbuoy-reader",  # assigned by hand: the group never exists on the broker
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
            "fetch.message.max.bytes": 4_000_000,
            "queued.min.messages": 100_000,
            **RECONNECT_QUIETLY,
        }
    )
