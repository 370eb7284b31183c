"""Clock of a simulation: it writes the time as ticks to every partition of simulation.clock."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from confluent_kafka import KafkaError, Producer

from bellbuoy.operations.kafka.errors import kafka_away
from bellbuoy.operations.kafka.retry import retry_while_leaderless
from schemas.codec.errors import SchemaError
from schemas.producer_settings import DURABLE
from schemas.records import ClockTick
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import last_record

__all__ = ["SimulationClock", "latest_time"]

_TIMEOUT_SECONDS = 10.0


class SimulationClock:
    """
    Producer of ticks, which set the journal's time; the time never goes back.

    Raises KafkaAwayError when a tick can't be written.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._connection, self._topics = cluster.connection, cluster.topics
        self._codec = cluster.codec("simulation.clock")
        self._producer = Producer(
            {
                **DURABLE,
                **self._connection.librdkafka(),
                "linger.ms": 0,
                "log_level": 0,
            }
        )
        self._now = -1

    def tick(self, now: int) -> None:
        """Set the time to ``now`` (UTC ms) and return once Kafka has it; raise ValueError for a step back."""
        if now < self._now:
            raise ValueError(f"the clock is at {self._now} and can't go back to {now}")
        self._now = now
        value = self._codec.encode(ClockTick(now=now))
        failures: list[KafkaError] = []
        for partition in range(self._topics.partitions):
            self._producer.produce(
                self._topics.name("simulation.clock"),
                value,
                partition=partition,
                on_delivery=lambda error, _: failures.append(error) if error is not None else None,
            )
        if self._producer.flush(_TIMEOUT_SECONDS):
            raise kafka_away(self._connection, "a clock tick was not acknowledged in time")
        if failures:
            raise kafka_away(self._connection, failures[0])


def latest_time(cluster: Cluster) -> int | None:
    """
    Return the latest time of a deployment's ticks and journal batches, UTC milliseconds; ``None``: none.

    Ticks are kept for a day only, so the journal's newest batches are read as well. Raises KafkaAwayError.
    """
    connection, topics, times = cluster.connection, cluster.topics, list[int]()
    for topic, field in (("simulation.clock", "now"), ("account.journal", "written_at")):
        reader = cluster.codec(topic)
        for partition in range(topics.partitions):
            last = retry_while_leaderless(
                connection, partial(last_record, connection, topics.name(topic), partition)
            )
            with suppress(SchemaError):  # a foreign record has no time
                times += [] if last is None else [int(getattr(reader.decode(last.value), field))]
    return max(times, default=None)
