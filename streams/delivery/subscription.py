"""Subscription of a sink: its consumer group, and the topics of the records that it takes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from confluent_kafka import TopicPartition

from schemas.codec.record_codec import RECORDS
from schemas.topics import Topics
from sinks.port import OUTPUTS, Output, Sink

__all__ = ["Subscription", "output_topics"]


def output_topics(records: Collection[type[Output]] = OUTPUTS) -> tuple[str, ...]:
    """Return the topics, without prefix, that carry these record types."""
    return tuple(topic for topic, record in RECORDS.items() if record in records)


@dataclass(frozen=True, slots=True)
class Subscription:
    """
    Consumer group and topics of one sink.

    ``names`` are the topics as on the broker; ``deployment`` says how they come by their prefix.
    """

    sink: str
    deployment: Topics
    names: tuple[str, ...]

    @classmethod
    def of(cls, sink: Sink, topics: Topics) -> Self:
        """Return the subscription of a sink: the topics of the records that it declares, no others."""
        return cls(sink.name, topics, tuple(map(topics.name, output_topics(sink.records))))

    @property
    def group(self) -> str:
        """The consumer group; the same one for ever, as it holds how far the sink was filled."""
        return f"{self.deployment.prefix}deliver-{self.sink}"

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics without prefix."""
        return tuple(map(self.deployment.plain, self.names))

    def partitions(self) -> list[TopicPartition]:
        """Return every partition of every topic."""
        return [TopicPartition(name, p) for name in self.names for p in range(self.deployment.partitions)]
