"""
The journal stage: the consumer that turns all inputs of a partition into one ordered, exact, packed log.

Order of steps for a batch, and what a crash costs at each: (1) records are read: nothing; (2) they are sorted
and packed in memory: nothing; (3) journal records, dead letters, misplaced records and the offsets read are
written in one transaction: all or nothing. The last journal record carries the offset to read next of every
input, so the journal itself says where to continue; the group's committed offsets only serve lag tools.
"""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from threading import Event

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.codec.registry import Registry
from schemas.connection import Connection
from schemas.identity.erasures import Erasures
from schemas.inputs import INPUT_TOPICS
from schemas.topics import Topics
from streams.journal import metrics
from streams.journal.input_faults import InputFaults
from streams.journal.loop import JournalLoop
from streams.journal.open_transactions import OpenTransactions
from streams.journal.partition import JournalPartition
from streams.journal.warm_up import warm_up
from streams.kafka.client_settings import RECONNECT_QUIETLY
from streams.kafka.cluster import Cluster
from streams.kafka.consumer_group import leave_group
from streams.kafka.erasure_log import ErasureLog
from streams.kafka.errors import (
    BROKER_AWAY,
    TOPIC_UNKNOWN,
    FencedError,
    LogChangedError,
    ProducerExpiredError,
)
from streams.kafka.log_inspector import Inspection
from streams.kafka.log_position import LogPosition, Part
from streams.kafka.log_watch import LogWatch
from streams.kafka.transaction_ends import TransactionEnds
from streams.pacing.progress import ProgressWatcher
from streams.runtime.health import Health
from streams.settings import JournalSettings

__all__ = ["JournalMember", "run"]

log = structlog.get_logger(__name__)

_MAX_ROUND_SECONDS = 15.0
"""While a partition's loop takes longer than this for a round, the role sends no heartbeat."""
_COMMIT_SECONDS = 1.0
"""How often positions are committed to the group."""


def run(connection: Connection, topics: Topics, settings: JournalSettings, registry: Registry) -> None:
    """Run the journal stage until SIGTERM or SIGINT; raise an error that only a restart can clear up."""
    began = time.perf_counter()
    warm_up(registry)
    log.info("Compiled.", seconds=round(time.perf_counter() - began, 3))
    health = Health("journal")
    member = JournalMember(Cluster(connection, topics, registry), settings, health)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: member.stop())
    health.set_condition("assigned", False, "no partitions assigned yet")
    health.serve(settings.metrics_host, settings.metrics_port)
    try:
        member.run()
    finally:
        health.close()


class JournalMember:
    """One member of the journal's consumer group, with the loops of the partitions that it owns."""

    def __init__(self, cluster: Cluster, settings: JournalSettings, health: Health) -> None:
        self._cluster = cluster
        self._topics = cluster.topics
        self._settings = settings
        self._health = health
        self._erasure_log = ErasureLog(cluster.connection, cluster.topics)
        self._progress = ProgressWatcher(cluster.connection, cluster.topics)
        self._partitions: dict[int, JournalPartition] = {}
        self._revoked_partitions: dict[int, JournalPartition] = {}
        self._loops: list[JournalLoop] = []
        self._committed_at = 0.0
        self._faults = InputFaults(health, cluster.topics)
        self._open_transactions = OpenTransactions(health, cluster.topics, cluster.connection)
        self._watch = LogWatch(
            cluster.connection,
            cluster.topics.partitions,
            self._positions,
            self._inspected,
            self._fail,
        )
        self._ends: dict[Part, LogPosition] = {}
        self._transaction_ends = TransactionEnds()
        self._error: BaseException | None = None
        self._stopping = Event()

    def stop(self) -> None:
        """Ask every partition to finish the batch that it is writing, and the member to leave the group."""
        self._stopping.set()

    def run(self) -> None:
        """Keep the membership and the loops until stopped; raise the error that ended a loop."""
        consumer = Consumer(self._consumer_config())
        names = [self._topics.name(topic) for topic in INPUT_TOPICS]
        if self._settings.clock == "simulated":
            names.append(self._topics.name("simulation.clock"))
        self._progress.start()
        self._watch.start()
        consumer.subscribe(names, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        try:
            while not self._stopping.is_set():
                self._keep_membership(consumer)
                self._check_loops()
                self._commit_positions(consumer)
            self._stop_loops()
        except KafkaException:
            # A broker also refuses to write to what is another log by now, or gone.
            with suppress(KafkaException):
                self._require_logs()
            raise
        finally:
            with suppress(Exception):  # the error that ends this came first
                self._stop_loops()
            self._watch.close()
            leave_group(consumer)
            self._progress.close()
            self._erasure_log.close()
            log.info("Journal stopped.")

    def _check_loops(self) -> None:
        """Raise the error that ended a loop; else send a heartbeat, unless one takes too long for a round."""
        for index, loop in enumerate(self._loops):
            if isinstance(loop.error, ProducerExpiredError):
                log.warning(
                    "Transactional id expired; the partition is taken over again.", partition=loop.number
                )
                self._take_over(loop.number)
                self._loops[index] = self._loop_of(self._partitions[loop.number])
                self._loops[index].start()
        _raise_errors(self._loops)
        if self._error is not None:
            raise self._error
        clock_fault = next((loop.clock_fault for loop in self._loops if loop.clock_fault), "")
        self._health.set_condition("clock", not clock_fault, clock_fault)
        found = [item for loop in self._loops for item in loop.open_transactions().items()]
        self._open_transactions.report(dict(found))
        if all(time.monotonic() - loop.round_began < _MAX_ROUND_SECONDS for loop in self._loops):
            self._health.heartbeat()

    def _positions(self) -> dict[Part, LogPosition]:
        """Return how far the inputs are read, and where the journal ended, for the watch."""
        partitions = list(self._partitions.values())
        read = {part: at for partition in partitions for part, at in partition.read_positions().items()}
        journal = self._topics.name("account.journal")
        ends = {(journal, p.number): p.journal_end for p in partitions}
        return read | {part: max(end, self._ends.get(part, end)) for part, end in ends.items()}

    def _inspected(self, inspection: Inspection) -> None:
        """Take the watch's answer; raise LogChangedError when the journal is not the log that was written."""
        journal = self._topics.name("account.journal")
        self._judge_journal(inspection)
        self._ends = {part: end for part, end in inspection.ends.items() if part[0] == journal}
        unreadable = [f for f in inspection.faults if f.topic != journal and not f.can_be_read_on]
        self._faults.standing(unreadable)
        for loop in list(self._loops):
            loop.inspected(inspection)
        self._transaction_ends.look(
            self._watch.inspector, [partition.producer for partition in list(self._partitions.values())]
        )

    def _judge_journal(self, inspection: Inspection) -> None:
        """Raise LogChangedError when the journal is not the log that was written."""
        for fault in inspection.faults:
            if fault.topic == self._topics.name("account.journal") and fault.kind != "head_gone":
                raise LogChangedError(
                    f"{fault.sentence}: the journal stops; start it again, and if it then stops as well, "
                    "run `bellbuoy recover journal --dry-run`"
                )

    def _require_logs(self) -> None:
        """Look at once for the topics that are written to; raise LogChangedError and KafkaException."""
        journal = self._topics.name("account.journal")
        ends = {part: at for part, at in self._positions().items() if part[0] == journal}
        self._judge_journal(self._watch.inspector.inspect(ends, self._topics.partitions))
        written = map(self._topics.name, (*INPUT_TOPICS, "events.deadletter"))
        if gone := ", ".join(self._watch.inspector.missing(written)):
            raise LogChangedError(
                f"{gone} is gone: run `bellbuoy topics create`, then start the journal again"
            )

    def _fail(self, error: BaseException) -> None:
        self._error = error

    def _stop_loops(self) -> None:
        """Return once no partition is read or written any more; raise the error that ended a loop."""
        loops, self._loops = self._loops, []
        for loop in loops:
            loop.stop()
        for loop in loops:
            loop.join()
        _raise_errors(loops)

    def _commit_positions(self, consumer: Consumer) -> None:
        """Commit the positions to the group now and then, for lag tools only."""
        if time.monotonic() - self._committed_at < _COMMIT_SECONDS:
            return
        self._committed_at = time.monotonic()
        positions = [tp for partition in self._partitions.values() for tp in partition.positions()]
        if positions:
            consumer.commit(offsets=positions, asynchronous=True)

    def _erasures(self, deletion_read: bool) -> Erasures:
        """Return the list of who was erased, read to its end where a deletion may stand in it."""
        if deletion_read:
            self._erasure_log.catch_up()
        return self._erasure_log.current

    def _keep_membership(self, consumer: Consumer) -> None:
        """Serve the group's heartbeats and assignments; the records are fetched by the loops."""
        self._erasure_log.look()
        for message in consumer.consume(1, 0.1):
            error = message.error()
            if error is None:
                continue
            if error.fatal():
                raise KafkaException(error)
            if error.code() in TOPIC_UNKNOWN:
                self._watch.wake()  # it says which topic is gone
            elif error.code() in BROKER_AWAY:
                log.warning("Kafka is away.", error=error.str())
            else:
                log.warning("Kafka refused a request; it is sent again.", error=error.str())

    def _assigned(self, consumer: Consumer, assignment: list[TopicPartition]) -> None:
        owned = {tp.partition for tp in assignment}
        self._partitions = {
            number: partition for number, partition in self._revoked_partitions.items() if number in owned
        }
        self._revoked_partitions = {}
        for number in sorted(owned - set(self._partitions)):
            self._take_over(number)
        consumer.assign(assignment)
        consumer.pause(assignment)
        self._loops = [self._loop_of(partition) for partition in self._partitions.values()]
        self._progress.watch(owned)
        for loop in self._loops:
            loop.start()
        metrics.REBALANCES.inc()
        metrics.PARTITIONS.set(len(owned))
        self._health.set_condition("assigned", True)

    def _take_over(self, number: int) -> None:
        began = time.perf_counter()
        self._erasure_log.catch_up()
        self._partitions[number] = JournalPartition(
            self._cluster, number, self._settings, self._faults, self._erasures
        )
        seconds = time.perf_counter() - began
        metrics.RESTORE_SECONDS.observe(seconds)
        log.info("Partition taken over.", partition=number, seconds=round(seconds, 3))

    def _loop_of(self, partition: JournalPartition) -> JournalLoop:
        return JournalLoop(
            self._cluster,
            partition,
            self._settings,
            self._progress,
            fetch_bytes=self._settings.fetch_bytes // len(self._partitions),
            in_doubt=self._watch.wake,
        )

    def _revoked(self, _consumer: Consumer, _revoked: list[TopicPartition]) -> None:
        # A revoked partition is often assigned again at once, so it is kept; nothing is written meanwhile.
        self._stop_loops()
        self._revoked_partitions, self._partitions = self._partitions, {}
        metrics.PARTITIONS.set(0)

    def _lost(self, _consumer: Consumer, lost: list[TopicPartition]) -> None:
        log.warning(
            "Partitions lost: the session timed out.", partitions=sorted({tp.partition for tp in lost})
        )
        with suppress(FencedError):  # the new owner may have fenced this one already
            self._stop_loops()
        self._partitions, self._revoked_partitions = {}, {}
        metrics.PARTITIONS.set(0)

    def _consumer_config(self) -> dict[str, object]:
        session = int(self._settings.session_seconds * 1000)
        return {
            **self._cluster.connection.librdkafka(),
            "group.id": f"{self._topics.prefix}bellbuoy-journal",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            # Equal partition counts, one subscription and range: partition p of every input has one owner.
            "partition.assignment.strategy": "range",
            "session.timeout.ms": session,
            "heartbeat.interval.ms": session // 5,
            "max.poll.interval.ms": max(300_000, session),
            **RECONNECT_QUIETLY,
        }


def _raise_errors(loops: list[JournalLoop]) -> None:
    for loop in loops:
        if loop.error is not None:
            raise loop.error
