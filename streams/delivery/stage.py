"""Runner of delivery: one consumer for each sink, all in one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextvars import copy_context

import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from schemas.codec.registry import Registry
from schemas.connection import Connection
from schemas.topics import Topics
from sinks.port import Sink, SinkSettingsError
from streams.delivery.sink_consumer import SinkConsumer
from streams.delivery.subscription import output_topics
from streams.kafka.cluster import Cluster
from streams.kafka.errors import LogChangedError
from streams.runtime.errors import DeliveryError
from streams.runtime.gc import freeze_startup_objects
from streams.runtime.health import Health
from streams.runtime.stop_signals import stopped_by_signals
from streams.settings import DeliverySettings

__all__ = ["DeliveryError", "run"]

_STUCK_SECONDS = 30.0
"""A consumer that did not move for this long makes the role not live; a write is bounded well below."""

log = structlog.get_logger(__name__)


def run(
    connection: Connection,
    topics: Topics,
    settings: DeliverySettings,
    sinks: Sequence[Sink],
    registry: Registry,
    stop: threading.Event | None = None,
) -> None:
    """
    Deliver to every sink until SIGTERM, SIGINT or ``stop``; return when all have left their groups.

    A batch that is being written is finished and committed first; one that waits for its sink is delivered
    after the next start. A sink that is away lags alone. Raises DeliveryError when a topic is missing or a
    consumer can't go on, LogChangedError when a topic has another number of partitions, SinkSettingsError
    when a sink's settings can't be used, and HealthServerError when the health endpoint's port is taken.
    """
    stop = stop or threading.Event()
    health = Health("deliver")
    health.set_condition("kafka", False, f"not reached on {connection} yet")
    port = health.serve(settings.metrics_host, settings.metrics_port)
    log.info("Delivery starts.", sinks=[sink.name for sink in sinks], metrics_port=port)
    freeze_startup_objects()
    with stopped_by_signals(stop):
        try:
            if _await_topics(connection, topics, sinks, health, stop):
                cluster = Cluster(connection, topics, registry)
                _run_all([SinkConsumer(cluster, s, settings, health, stop) for s in sinks], health, stop)
        finally:
            health.close()
    log.info("Delivery stopped.")


def _run_all(consumers: list[SinkConsumer], health: Health, stop: threading.Event) -> None:
    failures: list[tuple[SinkConsumer, BaseException]] = []

    def run_one(consumer: SinkConsumer) -> None:
        try:
            consumer.run()
        except BaseException as error:  # noqa: BLE001 - raised again by the main thread
            failures.append((consumer, error))
            stop.set()

    threads = [
        threading.Thread(target=copy_context().run, args=(run_one, c), name=f"deliver-{c.name}")
        for c in consumers
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if time.monotonic() - min(c.ticked for c in consumers) < _STUCK_SECONDS:
            health.heartbeat()
        for thread in threads:
            thread.join(0.5)
    for consumer, error in failures:
        if isinstance(error, DeliveryError | LogChangedError | SinkSettingsError):
            raise error
        raise DeliveryError(f"delivery to {consumer.name} failed: {type(error).__name__}: {error}") from error


def _await_topics(
    connection: Connection, topics: Topics, sinks: Sequence[Sink], health: Health, stop: threading.Event
) -> bool:
    """Wait for Kafka and return True, or False when stopped; raise DeliveryError for a missing topic."""
    needed = (*output_topics(frozenset().union(*(s.records for s in sinks))), "events.deadletter")
    admin = AdminClient({**connection.librdkafka(), "log_level": 0})
    while not stop.is_set():
        health.heartbeat()
        try:
            existing = admin.list_topics(timeout=2.0).topics
        except KafkaException as error:
            log.warning("Kafka is away.", bootstrap=str(connection), error=error.args[0].str())
            stop.wait(1.0)
            continue
        missing = [name for name in map(topics.name, needed) if name not in existing]
        if missing:
            raise DeliveryError(
                f"{connection} has no topic {', '.join(missing)}: run `bellbuoy topics create`"
            )
        health.set_condition("kafka", True)
        return True
    return False
