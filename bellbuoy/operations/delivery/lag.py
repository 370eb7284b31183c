"""Lag of a sink, by topic, and the requests that its consumer group made today."""

from __future__ import annotations

from functools import partial

from confluent_kafka import Consumer

from bellbuoy.operations.kafka.retry import retry_while_leaderless
from bellbuoy.settings import Settings
from schemas.connection import Connection
from sinks.port import DailyUse, Sink
from streams.delivery.committer import parts_of
from streams.delivery.daily_use import group_use
from streams.delivery.subscription import Subscription
from streams.kafka.log_reader import watermarks

__all__ = ["daily_use", "sink_lag"]

_TIMEOUT_SECONDS = 10.0


def sink_lag(settings: Settings, sink: Sink) -> dict[str, int]:
    """
    Return the records that are not committed as written, by topic without prefix; raise KafkaAwayError.

    The ends of transactions count as records, as everywhere in Kafka.
    """
    kafka = settings.kafka
    subscription = Subscription.of(sink, kafka.topics())
    return retry_while_leaderless(kafka.connection(), partial(_lag, kafka.connection(), subscription))


def daily_use(settings: Settings, sink: Sink) -> DailyUse:
    """Return the requests that a metered sink's members made on their newest day; raise KafkaAwayError."""
    kafka = settings.kafka
    subscription = Subscription.of(sink, kafka.topics())
    return retry_while_leaderless(kafka.connection(), partial(_use, kafka.connection(), subscription))


def _use(connection: Connection, subscription: Subscription) -> DailyUse:
    reader = Consumer({**connection.librdkafka(), "group.id": subscription.group, "log_level": 0})
    try:
        return group_use(reader, parts_of(subscription.partitions()))
    finally:
        reader.close()


def _lag(connection: Connection, subscription: Subscription) -> dict[str, int]:
    reader = Consumer({**connection.librdkafka(), "group.id": subscription.group, "log_level": 0})
    lag = dict.fromkeys(subscription.topics, 0)
    try:
        for part in reader.committed(subscription.partitions(), timeout=_TIMEOUT_SECONDS):
            first, end = watermarks(reader, part)
            lag[subscription.deployment.plain(part.topic)] += max(0, end - max(part.offset, first))
    finally:
        reader.close()
    return lag
