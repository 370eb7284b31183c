"""Runs one courier for each sink, in one process."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from schemas.codec.registry import Registry
from schemas.topics import Topics
from sinks.port import Sink
from streams.delivery.sink_consumer import OUTPUTS, SinkConsumer
from streams.runtime.errors import DeliveryError
from streams.runtime.gc import freeze_startup_objects
from streams.runtime.health import Health
from streams.settings import DeliverySettings

__all__ = ["DeliveryError", "run"]

_STUCK_SECONDS = 30.0
"""A courier that did not move for this long makes the role not live; a write is bounded well below."""

log = structlog.get_logger(__name__)


def run(
    bootstrap: str,
    topics: Topics,
    settings: DeliverySettings,
    sinks: Sequence[Sink],
    registry: Registry,
    stop: threading.Event | None = None,
) -> None:
    """
    Deliver to every sink until SIGTERM, SIGINT or ``stop``; return when all have left their groups.

    A batch being written is finished and committed first; one that waits for its sink is left to the
    next start. A sink that is away lags alone. Raises DeliveryError when a topic is missing or a
    courier can't go on, and VitalsError when the health endpoint's port is taken.
    """
    stop = stop or threading.Event()
    vitals = Health("deliver")
    vitals.set_condition("kafka", False, f"not reached on {bootstrap} yet")
    port = vitals.serve(settings.metrics_host, settings.metrics_port)
    log.info("Delivery starts.", sinks=[sink.name for sink in sinks], metrics_port=port)
    freeze_startup_objects()
    with _signals(stop):
        try:
            if _topics_there(bootstrap, topics, vitals, stop):
                couriers = [
                    SinkConsumer(bootstrap, topics, settings, s, registry, vitals, stop) for s in sinks
                ]
                _run_all(couriers, vitals, stop)
        finally:
            vitals.close()
    log.info("Delivery stopped.")


def _run_all(couriers: list[SinkConsumer], vitals: Health, stop: threading.Event) -> None:
    failures: list[tuple[SinkConsumer, BaseException]] = []

    def carry(courier: SinkConsumer) -> None:
        try:
            courier.run()
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            failures.append((courier, error))
            stop.set()

    threads = [
        threading.Thread(target=copy_context().run, args=(carry, c), name=f"deliver-{c.sink.name}")
        for c in couriers
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if time.monotonic() - min(c.ticked for c in couriers) < _STUCK_SECONDS:
            vitals.heartbeat()
        for thread in threads:
            thread.join(0.5)
    for courier, error in failures:
        if isinstance(error, DeliveryError):
            raise error
        raise DeliveryError(
            f"delivery to {courier.sink.name} failed: {type(error).__name__}: {error}"
        ) from error


def _topics_there(bootstrap: str, topics: Topics, vitals: Health, stop: threading.Event) -> bool:
    """Wait for Kafka and return True, or False when stopped; raise DeliveryError for a missing topic."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    while not stop.is_set():
        vitals.heartbeat()
        try:
            known = admin.list_topics(timeout=2.0).topics
        except KafkaException as error:
            log.warning("Waiting for Kafka.", bootstrap=bootstrap, error=error.args[0].str())
            stop.wait(1.0)
            continue
        missing = [n for n in map(topics.name, (*OUTPUTS, "events.deadletter")) if n not in known]
        if missing:
            raise DeliveryError(
                f"{bootstrap} has no topic {', '.join(missing)}: run `bellbuoy topics create`"
            )
        vitals.set_condition("kafka", True)
        return True
    return False


@contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """Let SIGTERM and SIGINT stop delivery; a thread other than the main one can't, and need not."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, _: Any) -> None:
        log.info("Stopping.", signal=signal.Signals(number).name)
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
