"""Errors of the read side."""

from __future__ import annotations

__all__ = ["BadRedisUrlError", "RedisAwayError"]


class BadRedisUrlError(Exception):
    """
    The address of Redis is not a URL that its client takes.

    Operator action: correct redis.url.
    """

    def __init__(self, given: str, reason: str) -> None:
        super().__init__(f"redis.url: {reason} (got {given!r}); correct BELLBUOY_REDIS__URL")


class RedisAwayError(Exception):
    """
    Redis doesn't answer.

    Operator action: start Redis, or correct redis.url.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(
            f"Redis doesn't answer on {where} ({reason}): start it (`bellbuoy up`), or correct redis.url "
            "(BELLBUOY_REDIS__URL)"
        )
