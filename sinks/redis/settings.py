"""Settings of the Redis sink."""

from __future__ import annotations

from pydantic import Field

from sinks.port import Sink
from sinks.serving import Reader
from sinks.settings import SinkSettings

__all__ = ["RedisSettings"]


class RedisSettings(SinkSettings):
    """The Redis serving layout."""

    url: str = "redis://127.0.0.1:6379/0"
    prefix: str = Field(default="bb", description="first part of every key")
    history: int = Field(default=500, gt=0, description="score changes kept per account, about")
    updates: int = Field(default=20_000, gt=0, description="entries kept on the update stream, about")
    alert_days: int = Field(default=90, gt=0, description="a resolved alert is kept this long")

    def sink(self) -> Sink:
        """Return the sink, not yet open."""
        from sinks.redis.sink import RedisSink  # noqa: PLC0415 - brings the client

        return RedisSink(self)

    def reader(self) -> Reader:
        """Return a reader of what the sink wrote; raise SinkSettingsError for a URL that is none."""
        from sinks.redis.reader import RedisReader  # noqa: PLC0415

        return RedisReader(self)
