"""Read the serving layout for a command, with errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from bellbuoy.query.errors import BadRedisUrlError, RedisAwayError
from sinks.redis.reader import RedisReader
from sinks.redis.settings import RedisSettings
from sinks.redis.sink import connect_point

__all__ = ["reading"]


@contextmanager
def reading(settings: RedisSettings) -> Iterator[RedisReader]:
    """Open a reader, closed afterwards; raise RedisAwayError, and BadRedisUrlError for a URL that is none."""
    where = connect_point(settings.url)
    try:
        reader = RedisReader(settings)
    except ValueError as error:
        given = where if "@" in settings.url else settings.url
        raise BadRedisUrlError(given, str(error)) from None
    try:
        yield reader
    except RedisError as error:
        raise RedisAwayError(where, str(error)) from None
    finally:
        reader.close()
