"""Follower of the journal: reads which time of the simulation's clock it has reached."""

from __future__ import annotations

from functools import partial

from confluent_kafka import Consumer, TopicPartition

from bellbuoy.operations.kafka.retry import retry_while_leaderless
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import last_record
from streams.kafka.record import kafka_record

__all__ = ["JournalFollower"]

_BATCHES_PER_POLL = 500
_WAIT_SECONDS = 0.02


class JournalFollower:
    """
    Consumer of the journal's batches that keeps the newest time of each partition.

    A simulation waits for it: a journal that was away would otherwise find events from its future when it
    comes back. Raises KafkaAwayError.
    """

    def __init__(self, cluster: Cluster) -> None:
        connection, topics = cluster.connection, cluster.topics
        self._batches = cluster.codec("account.journal")
        self._name = topics.name("account.journal")
        self._times = dict.fromkeys(range(topics.partitions), -1)
        starts = []
        for partition in self._times:
            last = retry_while_leaderless(connection, partial(last_record, connection, self._name, partition))
            if last is not None:
                self._times[partition] = self._batches.decode(last.value).written_at
            starts.append(TopicPartition(self._name, partition, 0 if last is None else last.offset + 1))
        self._consumer = Consumer(
            {
                **connection.librdkafka(),
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
        """The time that every partition has reached, UTC milliseconds; -1 before the first tick."""
        return min(self._times.values())

    def poll(self) -> int:
        """Read the batches written since the last call; return the time that every partition has reached."""
        for message in self._consumer.consume(_BATCHES_PER_POLL, _WAIT_SECONDS):
            if message.error() is None:
                batch = kafka_record(message)
                self._times[batch.partition] = self._batches.decode(batch.value).written_at
        return self.reached

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()
