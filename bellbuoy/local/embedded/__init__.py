"""Embedded servers: real Kafka, Redis and Postgres as child processes, without Docker or an installation."""

from __future__ import annotations

from bellbuoy.local.embedded.errors import EmbeddedError, MissingExtraError, PortTakenError
from bellbuoy.local.embedded.kafka import Kafka
from bellbuoy.local.embedded.postgres import Postgres
from bellbuoy.local.embedded.redis import Redis

__all__ = ["EmbeddedError", "Kafka", "MissingExtraError", "PortTakenError", "Postgres", "Redis"]
