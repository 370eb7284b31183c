"""
The journal stage: all inputs of a partition into one ordered, exact, packed log.

Order of things for a batch, and what a crash costs there: (1) records are read: nothing; (2) sorted
and packed in memory: nothing; (3) journal records, dead letters, moved records and input offsets are
written in one transaction: all or nothing. The last journal record carries the offset read next of
every input, so the journal itself says where to go on; the group's committed offsets only serve lag
tools.
"""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from threading import Event

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.codec.registry import Registry
from schemas.inputs import INPUT_TOPICS
from schemas.topics import Topics
from streams.journal import metrics
from streams.journal.lane import JournalLane
from streams.journal.partition import JournalPartition
from streams.journal.warm_up import warm_up
from streams.kafka.clients import PATIENT, FencedError, leave
from streams.pacing.progress import ProgressWatcher
from streams.runtime.health import Health
from streams.settings import JournalSettings

__all__ = ["Journal", "run"]

log = structlog.get_logger(__name__)

_SLOW_SECONDS = 15.0
"""A lane that takes longer for a round is no sign of life."""


def run(bootstrap: str, topics: Topics, settings: JournalSettings, registry: Registry) -> None:
    """Run the journal stage until SIGTERM or SIGINT; raise what a restart must clear up."""
    began = time.perf_counter()
    warm_up(registry)
    log.info("Compiled.", seconds=round(time.perf_counter() - began, 3))
    journal = Journal(bootstrap, topics, settings, registry)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: journal.stop())
    vitals = Health("journal")
    vitals.set("assigned", False, "no partitions assigned yet")
    vitals.serve(settings.metrics_host, settings.metrics_port)
    try:
        journal.run(vitals)
    finally:
        vitals.close()


class Journal:
    """One member of the journal's consumer group and the partitions it owns."""

    def __init__(self, bootstrap: str, topics: Topics, settings: JournalSettings, registry: Registry) -> None:
        self._bootstrap = bootstrap
        self._topics = topics
        self._settings = settings
        self._registry = registry
        self._partitions: dict[int, JournalPartition] = {}
        self._stopping = Event()
        self._vitals: Health | None = None
        self._between: dict[int, JournalPartition] = {}
        self._committed = 0.0
        self._lanes: list[JournalLane] = []
        self._applied = ProgressWatcher(bootstrap, topics)

    def stop(self) -> None:
        """Ask the loop to finish the batch at hand and leave the group."""
        self._stopping.set()

    def run(self, vitals: Health) -> None:
        """Keep the membership and carry on every partition until stopped; raise what stopped a lane."""
        self._vitals = vitals
        consumer = Consumer(self._consumer_config())
        names = [self._topics.name(topic) for topic in INPUT_TOPICS]
        if self._settings.clock == "simulated":
            names.append(self._topics.name("simulation.clock"))
        self._applied.start()
        consumer.subscribe(names, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        try:
            while not self._stopping.is_set():
                self._keep_membership(consumer)
                self._look_after_lanes(vitals)
                self._tell_positions(consumer)
            self._end_lanes()
        finally:
            with suppress(Exception):  # the error that ends this came first
                self._end_lanes()
            leave(consumer)
            self._applied.close()
            log.info("Journal stopped.")

    def _look_after_lanes(self, vitals: Health) -> None:
        _raise_errors(self._lanes)
        if all(time.monotonic() - lane.went_round < _SLOW_SECONDS for lane in self._lanes):
            vitals.beat()

    def _end_lanes(self) -> None:
        """Return once no partition is read or written any more; raise what stopped a lane."""
        lanes, self._lanes = self._lanes, []
        for lane in lanes:
            lane.end()
        for lane in lanes:
            lane.join()
        _raise_errors(lanes)

    def _tell_positions(self, consumer: Consumer) -> None:
        """Commit the positions to the group now and then, for lag tools only."""
        if time.monotonic() - self._committed < 1:
            return
        self._committed = time.monotonic()
        positions = [tp for partition in self._partitions.values() for tp in partition.positions()]
        if positions:
            consumer.commit(offsets=positions, asynchronous=True)

    def _keep_membership(self, consumer: Consumer) -> None:
        """Serve the group: heartbeats and assignments; the records themselves come through the lanes."""
        for message in consumer.consume(1, 0.1):
            error = message.error()
            if error is None:
                continue
            if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART or error.fatal():
                raise KafkaException(error)
            log.warning("Kafka says no; the client tries again.", error=error.str())

    def _assigned(self, consumer: Consumer, assignment: list[TopicPartition]) -> None:
        wanted = {tp.partition for tp in assignment}
        self._partitions = {number: kept for number, kept in self._between.items() if number in wanted}
        self._between = {}
        for number in sorted(wanted - set(self._partitions)):
            began = time.perf_counter()
            self._partitions[number] = JournalPartition(
                self._bootstrap, self._topics, number, self._settings, self._registry
            )
            seconds = time.perf_counter() - began
            metrics.RESTORE_SECONDS.observe(seconds)
            log.info("Partition taken over.", partition=number, seconds=round(seconds, 3))
        consumer.assign(assignment)
        consumer.pause(assignment)
        self._lanes = [
            JournalLane(
                self._bootstrap,
                self._topics,
                number,
                partition,
                self._settings,
                self._registry,
                self._settings.fetch_bytes // len(wanted),
                self._applied,
            )
            for number, partition in self._partitions.items()
        ]
        self._applied.watch(wanted)
        for lane in self._lanes:
            lane.start()
        metrics.REBALANCES.inc()
        metrics.PARTITIONS.set(len(wanted))
        if self._vitals is not None:
            self._vitals.set("assigned", ok=True)

    def _revoked(self, _consumer: Consumer, _revoked: list[TopicPartition]) -> None:
        # What is revoked may come straight back, so it is kept aside; nothing is written meanwhile.
        self._end_lanes()
        self._between, self._partitions = self._partitions, {}
        metrics.PARTITIONS.set(0)

    def _lost(self, _consumer: Consumer, lost: list[TopicPartition]) -> None:
        log.warning("Partitions lost: the session ran out.", partitions=sorted({tp.partition for tp in lost}))
        with suppress(FencedError):  # by the new owner, perhaps
            self._end_lanes()
        self._partitions, self._between = {}, {}
        metrics.PARTITIONS.set(0)

    def _consumer_config(self) -> dict[str, object]:
        session = int(self._settings.session_seconds * 1000)
        return {
            "bootstrap.servers": self._bootstrap,
            "group.id": f"{self._topics.prefix}bellbuoy-journal",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            # Equal partition counts, one subscription and range: partition p of every input has one owner.
            "partition.assignment.strategy": "range",
            "session.timeout.ms": session,
            "heartbeat.interval.ms": session // 5,
            "max.poll.interval.ms": max(300_000, session),
            **PATIENT,
        }


def _raise_errors(lanes: list[JournalLane]) -> None:
    for lane in lanes:
        if lane.error is not None:
            raise lane.error
