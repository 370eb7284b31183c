"""The list of who was erased, as it stands on the compacted topic ``erased.subjects``."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.connection import Connection
from schemas.identity.erasures import NOBODY, Erasure, Erasures, decode_erasure
from schemas.topics import Topics
from streams.kafka.client_settings import RECONNECT_QUIETLY
from streams.kafka.errors import END_OF_PARTITION, TIMED_OUT
from streams.kafka.log_reader import end_offsets
from streams.kafka.retry import REQUEST_SECONDS

__all__ = ["ErasureLog"]


class ErasureLog:
    """
    Reader of the list; ``current`` is what it read so far, and any thread may ask for it.

    An entry is written before the erasure itself, so whoever has seen the erasure and then catches up knows
    the entry, too.
    """

    def __init__(self, connection: Connection, topics: Topics) -> None:
        self.current: Erasures = NOBODY
        self._connection, self._topic = connection, topics.name("erased.subjects")
        self._parts = [TopicPartition(self._topic, number, 0) for number in range(topics.partitions)]
        self._entries: dict[bytes, Erasure] = {}
        self._read: dict[int, int] = {}
        self._unpublished = False
        self._lock = Lock()
        self._consumer = Consumer(
            {
                **connection.librdkafka(),
                "group.id": "bellbuoy-reader",  # assigned by hand: the group never exists on the broker
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "log_level": 2,
                **RECONNECT_QUIETLY,
            }
        )
        self._consumer.assign(self._parts)

    def look(self) -> None:
        """Take what has arrived meanwhile, without waiting; errors show when it must catch up."""
        with self._lock:
            self._keep(self._consumer.consume(1_000, 0))
            self._publish()

    def catch_up(self) -> None:
        """Read the list to its present end; raise KafkaException."""
        with self._lock:
            # By another client: a broker answers this one only once a fetch that waits for records ends.
            ends = end_offsets(self._connection, self._topic, range(len(self._parts)))
            try:
                while any(self._read.get(number, 0) < end for number, end in ends.items()):
                    message = self._consumer.poll(REQUEST_SECONDS)
                    if message is None:
                        raise KafkaException(KafkaError(TIMED_OUT, "the list of erasures did not come"))
                    error = message.error()
                    if error is not None and error.code() != END_OF_PARTITION:
                        raise KafkaException(error)
                    self._keep([message])
            finally:
                self._publish()

    def close(self) -> None:
        """Close the client."""
        self._consumer.close()

    def _keep(self, messages: list[Message]) -> None:
        arrived = dict(self._entries_in(messages))
        if arrived:
            self._entries |= arrived
            self._unpublished = True

    def _publish(self) -> None:
        if self._unpublished:  # a copy of the whole list
            self._unpublished = False
            self.current = Erasures(dict(self._entries))

    def _entries_in(self, messages: list[Message]) -> Iterator[tuple[bytes, Erasure]]:
        for message in messages:
            error, number, offset = message.error(), message.partition() or 0, message.offset() or 0
            if error is None:
                self._read[number] = offset + 1
                key, value = message.key(), message.value()
                if key is None or value is None:
                    continue
                try:
                    yield key, decode_erasure(value)
                except msgspec.DecodeError:
                    continue  # not ours
            elif error.code() == END_OF_PARTITION:
                self._read[number] = offset
