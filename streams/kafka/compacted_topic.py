"""A follower of a compacted topic: all that it holds, and then what comes, one record after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.connection import Connection
from streams.kafka.client_settings import RECONNECT_QUIETLY
from streams.kafka.errors import END_OF_PARTITION, TIMED_OUT
from streams.kafka.log_reader import end_offsets
from streams.kafka.retry import REQUEST_SECONDS

__all__ = ["CompactedTopicFollower"]

_RECORDS = 1_000


class CompactedTopicFollower:
    """
    Follower of every partition of a topic; *take* is called with key and value of each record.

    A value is ``None`` where the key was deleted; records without a key are passed over. One thread at a time
    may call it.
    """

    def __init__(
        self,
        connection: Connection,
        topic: str,
        partitions: int,
        take: Callable[[bytes, bytes | None], None],
    ) -> None:
        self._connection, self._topic, self._take = connection, topic, take
        self._read = dict.fromkeys(range(partitions), 0)
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
        self._consumer.assign([TopicPartition(topic, number, 0) for number in self._read])

    def look(self) -> None:
        """Take what has arrived meanwhile, without waiting; errors show when it must catch up."""
        self._keep(self._consumer.consume(_RECORDS, 0))

    def catch_up(self) -> None:
        """Read the topic to its present end; raise KafkaException."""
        # By another client: a broker answers this one only once a fetch that waits for records ends.
        ends = end_offsets(self._connection, self._topic, self._read)
        while any(self._read[number] < end for number, end in ends.items()):
            message = self._consumer.poll(REQUEST_SECONDS)
            if message is None:
                raise KafkaException(KafkaError(TIMED_OUT, f"the end of {self._topic} did not come"))
            error = message.error()
            if error is not None and error.code() != END_OF_PARTITION:
                raise KafkaException(error)
            self._keep([message, *self._consumer.consume(_RECORDS, 0)])

    def close(self) -> None:
        """Close the client."""
        self._consumer.close()

    def _keep(self, messages: Iterable[Message]) -> None:
        for message in messages:
            error, number, offset = message.error(), message.partition() or 0, message.offset() or 0
            if error is None:
                self._read[number] = offset + 1
                key = message.key()
                if key is not None:
                    self._take(key, message.value())
            elif error.code() == END_OF_PARTITION:
                self._read[number] = offset
