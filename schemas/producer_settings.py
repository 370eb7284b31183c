"""Settings for every Kafka producer that writes to the topics, ours or a customer's own."""

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
librdkafka's settings for a producer that loses no record which Kafka has confirmed.

One request is in flight at a time, because with more a confirmed record can be lost: when the broker refuses
a producer's first batch to a partition for a moment (no leader yet) and takes the second one, which was sent
right behind it, then it has seen a later sequence number and takes the repeated first batch for a duplicate
(docs/adr/0007-one-request-in-flight.md).
"""
