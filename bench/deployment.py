"""Everything from Kafka to Redis as processes with their default settings, on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from bellbuoy.local.embedded import Redis
from bellbuoy.operations.ledger import applied
from bench.broker import broker, fresh_topics
from bench.roles import Role, running
from schemas.topics import Topics
from sinks.redis.client import connect
from sinks.redis.settings import RedisSettings

__all__ = ["Deployment", "deployed"]

_DRAIN_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Deployment:
    """A running pipeline: its broker, its topics, a client of its Redis, its processes by name."""

    bootstrap: str
    topics: Topics
    redis: Any
    roles: dict[str, Role]

    def applied(self) -> int:
        """Return how many events are in the committed state."""
        return applied(self.bootstrap, self.topics)

    def settle(self, applied: int) -> None:
        """
        Wait until so many events are in the state, and Redis has had nothing new for a second.

        Raises RuntimeError when that takes more than two minutes, or when there are more.
        """
        deadline, quiet_since, newest = time.monotonic() + _DRAIN_SECONDS, time.monotonic(), ""
        found = 0
        while time.monotonic() - quiet_since < 1:
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"not {applied:,} events but {found:,} were applied in {_DRAIN_SECONDS:.0f} s"
                )
            found, last = self.applied(), self.newest()
            if found < applied or last != newest:
                quiet_since, newest = time.monotonic(), last
            time.sleep(0.1)
        if found != applied:
            raise RuntimeError(f"{found:,} events were applied of {applied:,} sent")

    def newest(self) -> str:
        """Return the id of the newest update in Redis."""
        entries = self.redis.xrevrange("bb:updates", count=1)
        return entries[0][0].decode() if entries else "0"


@contextmanager
def deployed(settings: dict[str, str] | None = None) -> Iterator[Deployment]:
    """Start Kafka, Redis, journal, worker and delivery; stop them all in the end."""
    with broker() as (kafka, folder), ExitStack() as stack:
        redis = Redis(folder / "redis")
        stack.callback(redis.stop)
        redis.start()
        topics = fresh_topics(kafka.bootstrap)
        given = {"BELLBUOY_REDIS__URL": redis.url} | (settings or {})
        roles = {"kafka": Role(kafka.child.pid), "redis": Role(redis.child.pid)}
        for role in ("deliver", "worker", "journal"):
            roles[role] = stack.enter_context(running(role, kafka.bootstrap, topics, folder, given))
        yield Deployment(kafka.bootstrap, topics, connect(RedisSettings(url=redis.url)), roles)
