"""
Rebuild of one sink from Kafka alone: its content is removed, and delivery writes everything again.

Delivery is not told. The sink's positions are removed with its content, so a running delivery notices that it
must begin again, and one that is started later begins there (streams/delivery/resume.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from bellbuoy.errors import ConfigError, OperatorError
from bellbuoy.operations.delivery.sinks import sinks, there
from bellbuoy.operations.kafka.retry import retry_while_leaderless
from bellbuoy.settings import Settings
from schemas.connection import Connection
from sinks.port import Positioned, Sink
from streams.delivery.subscription import Subscription
from streams.kafka.answer import answer
from streams.kafka.log_reader import watermarks

__all__ = ["RebuildError", "RebuildPlan", "Rebuildable", "find_rebuildable", "plan_rebuild", "refill"]

_PAUSE_SECONDS = 0.2
_TIMEOUT_SECONDS = 10.0


class RebuildError(OperatorError):
    """
    The sink was not filled in time; delivery goes on with it.

    Operator action: see the log of ``bellbuoy deliver``.
    """


class Rebuildable(Sink, Positioned, Protocol):
    """A sink that can be cleared and says how far it is filled."""


@dataclass(frozen=True, slots=True)
class RebuildPlan:
    """
    The work that a rebuild has to do.

    ``spans`` are the first offset and the end of everything to deliver, by ``topic/partition``; ``members``
    is how many processes deliver to the sink now.
    """

    spans: dict[str, tuple[int, int]]
    members: int

    @property
    def records(self) -> int:
        """Return about how many records will be written; those that compaction removed are counted too."""
        return sum(end - first for first, end in self.spans.values())

    def written(self, positions: dict[str, int]) -> int:
        """Return how many of them are written, given the sink's positions."""
        return sum(
            min(max(positions.get(part, 0), first), end) - first for part, (first, end) in self.spans.items()
        )


def find_rebuildable(settings: Settings, name: str) -> Rebuildable:
    """Return the sink of this name; raise ConfigError when it can't be rebuilt."""
    rebuildable: dict[str, Any] = {s.name: s for s in sinks(settings) if isinstance(s, Positioned)}
    if name not in rebuildable:
        known = there(settings, name, rebuildable.values())
        raise ConfigError(f"no sink {name!r} that can be rebuilt; there is {known}")
    sink: Rebuildable = rebuildable[name]
    return sink


def plan_rebuild(settings: Settings, sink: Sink) -> RebuildPlan:
    """Return what a rebuild would do now; raise KafkaAwayError."""
    kafka = settings.kafka
    subscription = Subscription.of(sink, kafka.topics())
    return retry_while_leaderless(kafka.connection(), partial(_plan, kafka.connection(), subscription))


def _plan(connection: Connection, subscription: Subscription) -> RebuildPlan:
    group = subscription.group
    reader = Consumer({**connection.librdkafka(), "group.id": group, "log_level": 0})
    admin = AdminClient({**connection.librdkafka(), "log_level": 0})
    try:
        spans = {
            f"{subscription.deployment.plain(part.topic)}/{part.partition}": watermarks(reader, part)
            for part in subscription.partitions()
        }
    finally:
        reader.close()
    asked = admin.describe_consumer_groups([group], request_timeout=_TIMEOUT_SECONDS)
    described = answer(asked[group], _TIMEOUT_SECONDS)
    return RebuildPlan(spans, len(described.members))


def refill(sink: Rebuildable, planned: RebuildPlan, seconds: float, progress: Callable[[int], None]) -> None:
    """Wait until delivery has written everything planned; raise RebuildError and SinkError."""
    deadline = time.monotonic() + seconds
    while (written := planned.written(sink.positions())) < planned.records:
        progress(written)
        if time.monotonic() > deadline:
            raise RebuildError(
                f"{sink.name} has {written:,} of {planned.records:,} records after {seconds:.0f} s; "
                "delivery goes on with it"
            )
        time.sleep(_PAUSE_SECONDS)
    progress(planned.records)
