"""Client for Redis with bounded waits, and the messages about a Redis that doesn't answer."""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sinks.port import SinkSettingsError
from sinks.redis.settings import RedisSettings

__all__ = ["FIX", "connect", "public_url"]

FIX = "start it (`bellbuoy up`), or correct redis.url (BELLBUOY_REDIS__URL)"
"""What an operator does about a Redis that doesn't answer."""


def connect(settings: RedisSettings, **options: Any) -> redis.Redis:
    """
    Return a client that retries once, immediately: Redis may have closed a connection that was idle.

    Raises SinkSettingsError for a URL that is none.
    """
    bounded = {"socket_timeout": 5.0, "socket_connect_timeout": 2.0, "retry": Retry(NoBackoff(), 1)}
    try:
        return redis.Redis.from_url(settings.url, **(bounded | options))
    except ValueError as error:
        raise SinkSettingsError(
            f"redis.url: {error} (got {public_url(settings.url)!r}); correct BELLBUOY_REDIS__URL"
        ) from None


def public_url(url: str) -> str:
    """Return the URL without user and password."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
