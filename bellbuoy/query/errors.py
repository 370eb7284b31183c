"""How a command says that Redis is away."""

from __future__ import annotations

__all__ = ["RedisAwayError"]


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
