"""Settings that every librdkafka client of the stages has in common."""

from __future__ import annotations

__all__ = ["RECONNECT_QUIETLY"]

RECONNECT_QUIETLY: dict[str, int] = {"reconnect.backoff.max.ms": 1_000, "log_level": 2}
"""For clients whose calls raise what matters: else each failed attempt to reconnect would be a log line."""
