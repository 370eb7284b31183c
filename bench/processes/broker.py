"""A broker for one measurement, and new topics on it."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bellbuoy.local.embedded import Kafka
from bellbuoy.operations.kafka.topics import create_topics
from schemas.connection import Connection
from schemas.topics import Topics

__all__ = ["broker", "fresh_topics"]


@contextmanager
def broker() -> Iterator[tuple[Kafka, Path]]:
    """Start a Kafka and yield it with a folder for other files; stop it and remove both in the end."""
    with tempfile.TemporaryDirectory(prefix="bellbuoy-bench-") as name:
        folder = Path(name)
        kafka = Kafka(folder / "kafka")
        try:
            kafka.start()
            yield kafka, folder
        finally:
            kafka.stop()


def fresh_topics(connection: Connection) -> Topics:
    """Create every topic under a new prefix."""
    topics = Topics(prefix=f"bench-{uuid.uuid4().hex[:6]}-")
    create_topics(connection, topics)
    return topics
