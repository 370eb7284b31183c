"""A deployment on this machine: everything from Kafka to Redis as processes with their default settings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from bellbuoy.local.embedded import Redis
from bellbuoy.operations.kafka.ledger import applied_events
from bench.processes.broker import broker, fresh_topics
from bench.processes.roles import MeasuredProcess, running_role
from schemas.connection import Connection
from schemas.topics import Topics
from sinks.redis.client import connect
from sinks.redis.settings import RedisSettings

__all__ = ["Deployment", "deployed"]

_DRAIN_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Deployment:
    """A running pipeline: its broker, its topics, a client of its Redis, and its processes by name."""

    connection: Connection
    topics: Topics
    redis: Any
    processes: dict[str, MeasuredProcess]

    def applied(self) -> int:
        """Return how many events are in the committed state."""
        return applied_events(self.connection, self.topics)

    def settle(self, expected: int) -> None:
        """
        Wait until *expected* events are in the state, and Redis has had no new update for a second.

        Raises RuntimeError when that takes more than two minutes, or when there are more events.
        """
        deadline, quiet_since, newest = time.monotonic() + _DRAIN_SECONDS, time.monotonic(), ""
        applied = 0
        while time.monotonic() - quiet_since < 1:
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"not {expected:,} events but {applied:,} were applied in {_DRAIN_SECONDS:.0f} s"
                )
            applied, last = self.applied(), self.newest_update()
            if applied < expected or last != newest:
                quiet_since, newest = time.monotonic(), last
            time.sleep(0.1)
        if applied != expected:
            raise RuntimeError(f"{applied:,} events were applied of {expected:,} sent")

    def newest_update(self) -> str:
        """Return the id of the newest update in Redis."""
        entries = self.redis.xrevrange("bb:updates", count=1)
        return entries[0][0].decode() if entries else "0"


@contextmanager
def deployed(notify: dict[str, Any] | None = None, **redis_settings: Any) -> Iterator[Deployment]:
    """Start Kafka, Redis, journal, worker and delivery, with channels too; stop them all in the end."""
    with broker() as (kafka, folder), ExitStack() as stack:
        redis = Redis(folder / "redis")
        stack.callback(redis.stop)
        redis.start()
        topics = fresh_topics(kafka.connection)
        processes = {
            "kafka": MeasuredProcess(kafka.child.pid),
            "redis": MeasuredProcess(redis.child.pid),
        }
        for role in ("deliver", "worker", "journal"):
            own: dict[str, Any] = {"redis": {"url": redis.url} | redis_settings, "notify": notify or {}}
            processes[role] = stack.enter_context(running_role(role, kafka.connection, topics, folder, **own))
        yield Deployment(kafka.connection, topics, connect(RedisSettings(url=redis.url)), processes)
