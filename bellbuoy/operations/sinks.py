"""The sinks of a deployment, by name."""

from __future__ import annotations

from bellbuoy.settings import Settings
from sinks.port import Sink
from sinks.redis.sink import RedisSink

__all__ = ["sinks"]


def sinks(settings: Settings) -> dict[str, Sink]:
    """Return every sink that delivery writes to, not yet open."""
    return {sink.name: sink for sink in [RedisSink(settings.redis)]}
