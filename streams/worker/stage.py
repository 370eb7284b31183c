"""The worker stage: a Faust app with one agent and one table, that folds the journal into account states."""

from __future__ import annotations

import asyncio
import logging
import os
from functools import partial
from pathlib import Path
from typing import Any

import faust
import structlog
from confluent_kafka import KafkaException
from yarl import URL

from schemas.codec.registry import Registry
from schemas.connection import Connection
from schemas.topics import Topics
from streams.kafka.cluster import Cluster
from streams.kafka.errors import LogChangedError
from streams.kafka.log_faults import LogFault
from streams.kafka.log_inspector import Inspection
from streams.kafka.log_watch import LogWatch
from streams.kafka.transaction_ends import TransactionEnds
from streams.pacing.progress import ProgressReporter
from streams.runtime.gc import freeze_startup_objects
from streams.runtime.health import Health
from streams.settings import WorkerSettings
from streams.worker.agent import bind_agent
from streams.worker.faust_transport import ReadCommittedTransport, check_signatures, credentials
from streams.worker.logs import recovery_of_outputs
from streams.worker.partition import PartitionState
from streams.worker.store import AccountStore

__all__ = ["build_app", "run"]

log = structlog.get_logger(__name__)

EXIT_LOG_CHANGED = 3
EXIT_AWAY = 69
EXIT_SOFTWARE = 70


class _Worker(faust.Worker):
    """Faust's worker, without the two seconds that it sleeps when everything has stopped."""

    def _gather_all(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()

    async def _sentinel_task(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=1.0)


def build_app(
    cluster: Cluster, settings: WorkerSettings, data_dir: Path, progress: ProgressReporter
) -> tuple[faust.App, AccountStore]:
    """Return the app and the store of its table; nothing is connected until it starts."""
    check_signatures()
    topics = cluster.topics
    broker = URL(f"kafka://{cluster.connection.bootstrap.replace(',', ';kafka://')}")
    app = faust.App(
        topics.app_id,
        broker=str(broker),
        broker_credentials=credentials(cluster.connection),
        store="memory://",
        datadir=str(data_dir),
        topic_partitions=topics.partitions,
        topic_replication_factor=topics.replication,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=1.0,
        broker_session_timeout=settings.session_seconds,
        broker_heartbeat_interval=settings.session_seconds / 5,
        broker_request_timeout=max(30.0, settings.session_seconds),
        consumer_max_fetch_size=4 * 1024 * 1024,
        stream_buffer_maxsize=64,
        stream_wait_empty=False,
        table_standby_replicas=0,
        web_enabled=False,
        worker_redirect_stdouts=False,
    )
    app.transport = ReadCommittedTransport([broker], app)
    table: Any = app.Table(
        "accounts", default=bytes, partitions=topics.partitions, key_type=bytes, value_type=bytes
    )
    store: AccountStore = AccountStore(URL("memory://"), app, table, key_type=bytes, value_type=bytes)
    store.open(
        cluster.connection,
        topics.changelog,
        partial(_restored, cluster),
        progress.own,
    )
    table._data = store  # noqa: SLF001 - Faust chooses a store by URL only, and ours needs arguments
    journal = app.topic(
        topics.name("account.journal"),
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
        internal=False,
    )
    bind_agent(app, journal, store, cluster.codec("account.journal"), progress, _fail)
    return app, store


def run(
    connection: Connection, topics: Topics, settings: WorkerSettings, data_dir: Path, registry: Registry
) -> None:
    """
    Run the worker until SIGTERM or SIGINT.

    An unexpected error ends the process with exit code 70, a refusal of Kafka's with 69, a topic that is
    another log by now with 3.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    health = Health("worker")
    health.set_condition("recovered", False, "state not restored yet")
    health.serve(settings.metrics_host, settings.metrics_port)
    progress = ProgressReporter(connection, topics)
    app, store = build_app(Cluster(connection, topics, registry), settings, data_dir, progress)
    ends = TransactionEnds()

    def inspected(inspection: Inspection) -> None:
        _inspected(store, health, inspection)
        ends.look(watch.inspector, [state.producer for state in list(store.partitions.values())])

    watch = LogWatch(connection, topics.partitions, store.log_positions, inspected, _fail)

    async def heartbeat() -> None:
        health.heartbeat()
        health.set_condition("recovered", not app.rebalancing, "rebalancing")

    app.timer(1.0)(heartbeat)
    worker = _Worker(app, quiet=True, override_logging=False, redirect_stdouts=False)
    worker.spinner = None
    progress.start()
    watch.start()
    freeze_startup_objects()
    try:
        worker.execute_from_commandline()
    finally:
        watch.close()
        progress.close()
        health.close()


def _restored(cluster: Cluster, partition: int) -> PartitionState:
    try:
        return PartitionState(cluster, partition)
    except LogChangedError as error:  # Faust would begin the rebalance again
        _fail(error)
        raise


def _inspected(store: AccountStore, health: Health, inspection: Inspection) -> None:
    """Take the watch's answer; raise LogChangedError."""
    faults: list[LogFault] = []
    for state in list(store.partitions.values()):
        state.logs.take(inspection, state.position)
        faults += state.logs.output_faults
    told = "; ".join(sorted({fault.sentence for fault in faults}))
    health.set_condition("outputs", not told, f"{told}: {recovery_of_outputs(faults)}")


def _fail(error: BaseException) -> None:
    """End the process at once: a restart continues at the state's position, exactly."""
    match error:
        case LogChangedError():
            code = EXIT_LOG_CHANGED
            log.critical(
                "Worker stopped: a topic is not the log that the states came from.", reason=str(error)
            )
        case KafkaException():
            code = EXIT_AWAY
            log.critical(
                "Worker stopped: Kafka refused or didn't answer; a restart continues before this batch.",
                reason=str(error),
            )
        case _:
            code = EXIT_SOFTWARE
            log.critical(
                "Worker stopped: a batch could not be folded; a restart continues before it.", exc_info=error
            )
    logging.shutdown()
    os._exit(code)
