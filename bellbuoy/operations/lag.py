"""Lag of a sink: how many records its consumer group has not written yet, by topic."""

from __future__ import annotations

from functools import partial

from confluent_kafka import Consumer

from bellbuoy.operations.retry import retry_while_leaderless
from bellbuoy.settings import Settings
from sinks.port import Sink
from streams.delivery.subscription import Subscription
from streams.kafka.log_reader import watermarks

__all__ = ["sink_lag"]

_TIMEOUT_SECONDS = 10.0


def sink_lag(settings: Settings, sink: Sink) -> dict[str, int]:
    """
    Return the records that are not committed as written, by topic without prefix; raise KafkaAwayError.

    The ends of transactions count as records, as everywhere in Kafka.
    """
    kafka = settings.kafka
    subscription = Subscription.of(sink, kafka.topics())
    return retry_while_leaderless(kafka.bootstrap, partial(_lag, kafka.bootstrap, subscription))


def _lag(bootstrap: str, subscription: Subscription) -> dict[str, int]:
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": subscription.group, "log_level": 0})
    lag = dict.fromkeys(subscription.topics, 0)
    try:
        for part in reader.committed(subscription.partitions(), timeout=_TIMEOUT_SECONDS):
            first, end = watermarks(reader, part)
            lag[subscription.deployment.plain(part.topic)] += max(0, end - max(part.offset, first))
    finally:
        reader.close()
    return lag
