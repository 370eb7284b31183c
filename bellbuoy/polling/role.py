"""
The poller's role: members of a group share what is asked.

The partitions of ``pull.cursors`` say who asks what: the owner of a partition asks the sources whose cursors
are in it. A second poller takes over within a session's time when the first one dies.
"""

from __future__ import annotations

import threading
import time
from contextvars import copy_context

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from bellbuoy.errors import ConfigError
from bellbuoy.operations.kafka.cluster import kafka_cluster
from bellbuoy.operations.kafka.topics import require_topics
from bellbuoy.polling.cursors import CURSORS, partition_of_pull
from bellbuoy.polling.pull_loop import Pull, PullLoop
from bellbuoy.settings import Settings
from gateway.field_policy import FieldPolicies
from gateway.pulls.registry import configured_pulls
from streams.kafka.client_settings import RECONNECT_QUIETLY
from streams.kafka.cluster import Cluster
from streams.kafka.consumer_group import leave_group
from streams.runtime.errors import DeliveryError
from streams.runtime.health import Health
from streams.runtime.stop_signals import stopped_by_signals

__all__ = ["run_poller"]

log = structlog.get_logger(__name__)

_STOP_SECONDS = 150.0
"""Longer than any vendor's answer may take."""


class _Owned:
    """The loops of the partitions that this member owns."""

    def __init__(self, cluster: Cluster, pulls: list[Pull], health: Health, fields: FieldPolicies) -> None:
        self._cluster, self._pulls, self._health, self._fields = cluster, pulls, health, fields
        self._loops: dict[int, tuple[threading.Event, list[threading.Thread]]] = {}
        self.failure: BaseException | None = None

    def begin(self, partition: int) -> None:
        """Ask the sources of a partition."""
        stop, threads = threading.Event(), []
        for pull in self._pulls:
            if partition_of_pull(pull.tenant, pull.source.name, self._cluster.topics) == partition:
                loop = PullLoop(self._cluster, pull, self._health, stop, self._fields)
                thread = threading.Thread(
                    target=copy_context().run, args=(self._run, loop), name=f"poll-{pull.name}", daemon=True
                )
                threads.append(thread)
                thread.start()
        self._loops[partition] = stop, threads

    def end(self, partitions: list[int]) -> None:
        """Stop asking the sources of these partitions, and return once the pages under way are committed."""
        ended = [self._loops.pop(partition) for partition in partitions if partition in self._loops]
        for stop, _ in ended:
            stop.set()
        deadline = time.monotonic() + _STOP_SECONDS
        for _, threads in ended:
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))

    def end_all(self) -> None:
        """Stop all of them."""
        self.end(list(self._loops))

    def _run(self, loop: PullLoop) -> None:
        try:
            loop.run()
        except BaseException as error:  # noqa: BLE001 - raised again by the role's own thread
            self.failure = error


def run_poller(settings: Settings, stop: threading.Event | None = None) -> None:
    """
    Ask every source of the settings until SIGTERM, SIGINT or ``stop``.

    Raises ConfigError where nothing is to be asked or a topic is missing, KafkaAwayError, HealthServerError
    when the port is taken, and DeliveryError when a loop failed unexpectedly.
    """
    pulls = [Pull(*each) for each in configured_pulls(settings.poll)]
    if not pulls:
        raise ConfigError(
            "poll.tenants names nothing to ask: add a source, such as [poll.tenants.acme.hubspot_crm] "
            "(docs/sources/README.md)"
        )
    require_topics(settings)
    stop = stop or threading.Event()
    cluster = kafka_cluster(settings)
    health = Health("poll")
    health.set_condition("group", False, "no partition is assigned yet")
    port = health.serve(settings.poll.metrics_host, settings.poll.metrics_port)
    log.info("Poller starts.", pulls=[pull.name for pull in pulls], metrics_port=port)
    owned = _Owned(cluster, pulls, health, settings.privacy.policies())
    with stopped_by_signals(stop):
        try:
            _own(cluster, settings, owned, health, stop)
        finally:
            owned.end_all()
            health.close()
    if owned.failure is not None:
        failure = owned.failure
        raise DeliveryError(f"a pull failed: {type(failure).__name__}: {failure}") from failure


def _own(cluster: Cluster, settings: Settings, owned: _Owned, health: Health, stop: threading.Event) -> None:
    """Be a member of the group, and ask what its partitions say, until stopped or failed."""

    def assigned(consumer: Consumer, parts: list[TopicPartition]) -> None:
        consumer.pause(parts)  # whoever owns a partition reads it by another client
        for part in parts:
            owned.begin(part.partition)
        health.set_condition("group", True)

    def revoked(_: Consumer, parts: list[TopicPartition]) -> None:
        owned.end([part.partition for part in parts])

    session = round(settings.poll.session_seconds * 1000)
    consumer = Consumer(
        {
            **cluster.connection.librdkafka(),
            "group.id": f"{cluster.topics.app_id}-poll",
            "enable.auto.commit": False,
            "auto.offset.reset": "latest",
            "session.timeout.ms": session,
            "heartbeat.interval.ms": session // 3,
            **RECONNECT_QUIETLY,
        }
    )
    try:
        consumer.subscribe([cluster.topics.name(CURSORS)], assigned, revoked, revoked)
        while not stop.is_set() and owned.failure is None:
            health.heartbeat()
            message = consumer.poll(0.5)
            if message is not None and (error := message.error()) is not None:
                _check(error)
    except KafkaException as error:
        raise DeliveryError(f"the poller's group failed: {error.args[0].str()}") from error
    finally:
        owned.end_all()
        leave_group(consumer)


def _check(error: KafkaError) -> None:
    if error.fatal() or not error.retriable():
        log.warning("Kafka said of the poller's group.", error=error.str())
