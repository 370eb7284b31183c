"""Real Kafka and Redis as child processes: no Docker, no installation."""

from __future__ import annotations

from bellbuoy.embedded.errors import EmbeddedError, MissingExtraError, PortTakenError
from bellbuoy.embedded.kafka import Kafka
from bellbuoy.embedded.redis import Redis

__all__ = ["EmbeddedError", "Kafka", "MissingExtraError", "PortTakenError", "Redis"]
