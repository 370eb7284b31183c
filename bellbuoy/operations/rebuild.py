"""
Refill one sink from Kafka alone: remove what it holds, and let delivery write everything again.

Delivery needs not be told. The sink's positions go with its content, so a running delivery finds that it
must begin again, and one that is started later begins there (streams/delivery/resume.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from bellbuoy.operations.retry import ask_again
from bellbuoy.operations.sinks import sinks
from bellbuoy.settings import ConfigError, Settings
from schemas.topics import Topics
from sinks.port import Positioned, Sink
from streams.delivery.sink_consumer import OUTPUTS
from streams.kafka.log_reader import watermarks

__all__ = ["RebuildError", "RebuildPlan", "Rebuildable", "find", "plan", "refill"]

_PAUSE = 0.2
_SECONDS = 10.0


class RebuildError(Exception):
    """
    The sink was not filled in time; delivery goes on with it.

    Operator action: see the log of ``bellbuoy deliver``.
    """


class Rebuildable(Sink, Positioned, Protocol):
    """A sink that can be cleared and says how far it is filled."""


@dataclass(frozen=True, slots=True)
class RebuildPlan:
    """
    What a rebuild does.

    ``spans`` are the offsets there are to deliver, first and end, by ``topic/partition``; ``members`` is
    how many processes deliver to the sink now.
    """

    spans: dict[str, tuple[int, int]]
    members: int

    @property
    def records(self) -> int:
        """Return about how many records will be written; what compaction took is counted, too."""
        return sum(end - first for first, end in self.spans.values())

    def written(self, positions: dict[str, int]) -> int:
        """Return how many of them are, the sink standing so."""
        return sum(
            min(max(positions.get(part, 0), first), end) - first for part, (first, end) in self.spans.items()
        )


def find(settings: Settings, name: str) -> Rebuildable:
    """Return the sink of this name; raise ConfigError when it can't be rebuilt."""
    known: dict[str, Any] = {n: sink for n, sink in sinks(settings).items() if isinstance(sink, Positioned)}
    if name not in known:
        raise ConfigError(f"no sink {name!r} that can be rebuilt; there is {', '.join(known)}")
    found: Rebuildable = known[name]
    return found


def plan(settings: Settings, name: str) -> RebuildPlan:
    """Return what a rebuild would do now; raise KafkaAwayError."""
    kafka = settings.kafka
    topics = kafka.topics()
    return ask_again(
        kafka.bootstrap, partial(_plan, kafka.bootstrap, topics, f"{topics.prefix}deliver-{name}")
    )


def _plan(bootstrap: str, topics: Topics, group: str) -> RebuildPlan:
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "log_level": 0})
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    try:
        spans = {
            f"{topic}/{number}": watermarks(reader, TopicPartition(topics.name(topic), number))
            for topic in OUTPUTS
            for number in range(topics.partitions)
        }
    finally:
        reader.close()
    described = admin.describe_consumer_groups([group], request_timeout=_SECONDS)[group].result(_SECONDS)
    return RebuildPlan(spans, len(described.members))


def refill(sink: Rebuildable, planned: RebuildPlan, seconds: float, told: Callable[[int], None]) -> None:
    """Wait until delivery has written all that was planned; raise RebuildError and SinkError."""
    deadline = time.monotonic() + seconds
    while (written := planned.written(sink.positions())) < planned.records:
        told(written)
        if time.monotonic() > deadline:
            raise RebuildError(
                f"{sink.name} has {written:,} of {planned.records:,} records after {seconds:.0f} s; "
                "delivery goes on with it"
            )
        time.sleep(_PAUSE)
    told(planned.records)
