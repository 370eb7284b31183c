"""Settings of the Redis sink."""

from __future__ import annotations

from pydantic import Field

from sinks.port import Sink
from sinks.serving import Reader
from sinks.settings import SinkSettings

__all__ = ["RedisSettings"]


class RedisSettings(SinkSettings):
    """Settings of the Redis sink: the server, the keys and how much is kept."""

    url: str = Field(
        default="redis://127.0.0.1:6379/0",
        description="Address of the server, with user and password if it asks for them; `rediss://` is TLS.",
    )
    prefix: str = Field(default="bb", description="First part of every key.")
    history: int = Field(
        default=500, gt=0, description="Changes of score or band kept for each account, about."
    )
    updates: int = Field(default=20_000, gt=0, description="Entries kept on the update stream, about.")
    alert_days: int = Field(default=90, gt=0, description="Days for which a resolved alert is kept.")

    def sink(self) -> Sink:
        """Return the sink, not yet open."""
        from sinks.redis.sink import RedisSink  # noqa: PLC0415 - brings the client

        return RedisSink(self)

    def reader(self) -> Reader:
        """Return a reader of what the sink wrote; raise SinkSettingsError for a URL that is none."""
        from sinks.redis.reader import RedisReader  # noqa: PLC0415

        return RedisReader(self)
