"""The Kafka cluster of a deployment, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from schemas.codec.record_codec import Codec, codec
from schemas.codec.registry import Registry
from schemas.connection import Connection
from schemas.topics import Topics

__all__ = ["Cluster"]


@dataclass(frozen=True, slots=True)
class Cluster:
    """The Kafka of a deployment: how it is connected to, its topics, and the registry of their schemas."""

    connection: Connection
    topics: Topics
    registry: Registry

    def codec(self, topic: str) -> Codec[Any]:
        """Return the codec of a topic's records; ``topic`` is without prefix."""
        return codec(topic, self.registry)
