"""A follower of a compacted topic: all that it holds, and then what comes, one record after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.connection import Connection
from streams.kafka.client_settings import RECONNECT_QUIETLY
from streams.kafka.errors import END_OF_PARTITION, TIMED_OUT
from streams.kafka.log_reader import watermarks
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
        self._topic, self._take = topic, take
        self._read = dict.fromkeys(range(partitions), 0)
        self._settings = {
            **connection.librdkafka(),
            "group.id": "bellbuoy-reader",  # assigned by hand: the group never exists on the broker
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            **RECONNECT_QUIETLY,
        }
        self._consumer = Consumer(self._settings)
        self._consumer.assign([TopicPartition(topic, number, 0) for number in self._read])
        self._end_consumer: Consumer | None = None

    def look(self) -> None:
        """Take what has arrived meanwhile, without waiting; errors show when it must catch up."""
        self._keep(self._consumer.consume(_RECORDS, 0))

    def catch_up(self) -> None:
        """Read the topic to its present end; raise KafkaException."""
        ends = self._ends()
        while any(self._read[number] < end for number, end in ends.items()):
            message = self._consumer.poll(REQUEST_SECONDS)
            if message is None:
                raise KafkaException(KafkaError(TIMED_OUT, f"the end of {self._topic} did not come"))
            error = message.error()
            if error is not None and error.code() != END_OF_PARTITION:
                raise KafkaException(error)
            self._keep([message, *self._consumer.consume(_RECORDS, 0)])

    def close(self) -> None:
        """Close the clients."""
        self._consumer.close()
        self._close_end_consumer()

    def _ends(self) -> dict[int, int]:
        # By a client that fetches nothing: a broker answers one that fetches only once its fetch, which waits
        # for records, ends.
        if self._end_consumer is None:
            self._end_consumer = Consumer(self._settings)
        asking = self._end_consumer
        try:
            return {
                number: watermarks(asking, TopicPartition(self._topic, number))[1] for number in self._read
            }
        except KafkaException:
            # One that has learned that a partition is unknown may believe so for minutes.
            self._close_end_consumer()
            raise

    def _close_end_consumer(self) -> None:
        closing, self._end_consumer = self._end_consumer, None
        if closing is not None:
            closing.close()

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
