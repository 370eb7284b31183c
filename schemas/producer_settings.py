"""What every Kafka producer of ours, and of whoever writes to the topics itself, must be set to."""

from __future__ import annotations

from types import MappingProxyType

from schemas.identity.keys import PARTITIONER

__all__ = ["DURABLE"]

DURABLE = MappingProxyType(
    {
        "partitioner": PARTITIONER,
        "acks": "all",
        "enable.idempotence": True,
        "max.in.flight.requests.per.connection": 1,
    }
)
"""
librdkafka's settings for a producer whose confirmed records are really there.

One request in flight, because with more a record may be confirmed and lost: when the first batch of a
producer to a partition is refused for a moment (no leader yet) and the second, sent behind it, is taken, the
broker has a later sequence number and calls the repeated first batch a duplicate
(docs/adr/0007-one-request-in-flight.md).
"""
