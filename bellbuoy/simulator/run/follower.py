"""See how far the journal has followed the simulation's clock."""

from __future__ import annotations

from functools import partial

from confluent_kafka import Consumer, TopicPartition

from bellbuoy.operations.retry import ask_again
from schemas.codec.record_codec import codec
from schemas.topics import Topics
from streams.kafka.log_reader import last_record
from streams.kafka.record import kafka_record

__all__ = ["Follower"]

_BATCHES = 500
_WAIT_SECONDS = 0.02


class Follower:
    """
    Follows the time the journal writes in each partition.

    A simulation that ran far ahead of a journal that is away would, when it comes back, be met by events
    from its future. Raises KafkaAwayError.
    """

    def __init__(self, bootstrap: str, topics: Topics) -> None:
        self._batches = codec("account.journal")
        self._name = topics.name("account.journal")
        self._times = dict.fromkeys(range(topics.partitions), -1)
        starts = []
        for partition in self._times:
            last = ask_again(bootstrap, partial(last_record, bootstrap, self._name, partition))
            if last is not None:
                self._times[partition] = self._batches.decode(last.value).written_at
            starts.append(TopicPartition(self._name, partition, 0 if last is None else last.offset + 1))
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "bellbuoy-simulation",  # assigned by hand: the group never exists
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 20,
                "log_level": 0,
            }
        )
        self._consumer.assign(starts)

    @property
    def reached(self) -> int:
        """The time every partition has reached, UTC milliseconds; -1 before the first tick."""
        return min(self._times.values())

    def poll(self) -> int:
        """Read what the journal has written since and return the time every partition has reached."""
        for message in self._consumer.consume(_BATCHES, _WAIT_SECONDS):
            if message.error() is None:
                found = kafka_record(message)
                self._times[found.partition] = self._batches.decode(found.value).written_at
        return self.reached

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()
