"""Settings of the destinations."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["RedisSettings"]


class RedisSettings(BaseModel):
    """The Redis serving layout."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = "redis://127.0.0.1:6379/0"
    prefix: str = Field(default="bb", description="first part of every key")
    history: int = Field(default=500, gt=0, description="score changes kept per account, about")
    updates: int = Field(default=20_000, gt=0, description="entries kept on the update stream, about")
    alert_days: int = Field(default=90, gt=0, description="a resolved alert is kept this long")
