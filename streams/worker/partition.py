"""
State of one partition of a worker: its accounts, and the transactions that write them to Kafka.

``processors.fold.partition`` folds; this adds Kafka. Memory is never ahead of the log: an outcome is
committed to Kafka first and to memory after.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import structlog
from confluent_kafka import TopicPartition

from processors.fold.outcome import Outcome
from processors.fold.partition import Batches, FoldedPartition, foldable_runs
from processors.fold.shared import SHARED_KEY, Shared
from processors.owners.rows import OWNERS_KEY
from processors.state.position import POSITION_KEY, Position, decode_position, encode_position, position_key
from schemas.codec.record_codec import Codec
from schemas.connection import Connection
from schemas.identity.aliases import is_alias
from schemas.identity.keys import account_key, partition_of, split_key
from schemas.inputs import INPUTS
from streams.kafka.cluster import Cluster
from streams.kafka.headers import MOVED_HEADER
from streams.kafka.log_inspector import LogInspector
from streams.kafka.log_reader import read_to_end
from streams.kafka.transactional_producer import TransactionalProducer
from streams.worker import metrics
from streams.worker.logs import StateLogs, applied_offset, logs_of

__all__ = ["PartitionState"]

log = structlog.get_logger(__name__)

_CACHE_BYTES = 6_000_000
"""Decoded states that a partition keeps, by their encoded size. In memory, small accounts take 15 times
that, typical ones 12 times and heavy ones 9 times (`python -m bench.account_memory`): 55 to 90 MB. The least
recently used are decoded again when needed."""

_SENT_BACK = tuple(each.topic for each in INPUTS if each.written_by == "worker")
"""The inputs that the worker writes to, in any of their partitions."""

Headers = Sequence[tuple[str, bytes]]

_fold_lock = threading.Lock()
"""Python runs one thread at a time: partitions that take turns are done one by one, not all at the end."""


class PartitionState:
    """
    Accounts of one partition in the process that owns it.

    Making it fences every earlier owner, then restores states and position from the changelog. Raises
    LogChangedError when journal or changelog are not the ones that the states came from.
    """

    def __init__(self, cluster: Cluster, number: int) -> None:
        self.number = number
        self._topics = cluster.topics
        self._health = cluster.codec("account.health")
        self._kpis = cluster.codec("account.kpis")
        self._alert = cluster.codec("risk.alerts")
        self._notification = cluster.codec("alert.notifications")
        self._transfer = cluster.codec("account.transfers")
        self._owner_alert = cluster.codec("owner.alerts")
        self._feed_report = cluster.codec("feed.reports")
        # Fence first: before that, a dead owner's open transaction would hide the changelog's end.
        self.producer = TransactionalProducer(
            cluster.connection, f"{cluster.topics.app_id}-accounts-{number}"
        )
        self._connection = cluster.connection
        inspector = LogInspector(cluster.connection)
        self.producer.close_log(inspector, (self._topics.changelog, number))
        self.producer.suspect((name, number) for name in logs_of(self._topics)[1:])  # but the journal
        numbers = range(self._topics.partitions)
        self.producer.suspect((self._topics.name(t), n) for t in _SENT_BACK for n in numbers)
        began = time.perf_counter()
        self._folded, headers = self._restored(cluster.connection)
        self.logs = StateLogs(cluster, number, headers)
        self.logs.require(inspector, self.position, applied_offset(cluster, number))
        seconds = time.perf_counter() - began
        metrics.RESTORE_SECONDS.observe(seconds)
        metrics.ACCOUNTS.labels(partition=number).set(len(self.states))
        log.info(
            "State restored.",
            partition=number,
            accounts=len(self.states),
            sequence=self.position.sequence,
            seconds=round(seconds, 3),
        )

    @property
    def position(self) -> Position:
        """The newest journal batch that is in the states."""
        return self._folded.position

    @property
    def states(self) -> Mapping[bytes, bytes]:
        """The states in memory, as stored, by account key."""
        return self._folded.states

    @cached_property
    def _inspector(self) -> LogInspector:
        """A client that few partitions ever need: it is made at the first refusal."""
        return LogInspector(self._connection)

    def _restored(self, connection: Connection) -> tuple[FoldedPartition, Headers]:
        position, entries = Position(), dict[bytes, bytes]()
        states, owner_rows = dict[bytes, bytes](), dict[bytes, bytes]()
        headers: Headers = []
        for record in read_to_end(connection, [TopicPartition(self._topics.changelog, self.number, 0)]):
            key, value = record.key or b"", record.value
            if key.startswith(POSITION_KEY):
                if value is not None:
                    position, headers = decode_position(value), record.headers
            elif key.startswith(SHARED_KEY):
                if value is not None:
                    entries[key] = value
            else:
                kept = owner_rows if key.startswith(OWNERS_KEY) else states
                if value is None:
                    kept.pop(key, None)
                else:
                    kept[key] = value
        folded = FoldedPartition(
            self.number,
            Shared().with_entries(entries),
            states,
            position,
            owner_rows=owner_rows,
            cache_bytes=_CACHE_BYTES,
        )
        return folded, headers

    def missing_topics(self) -> list[str]:
        """Inspect the logs at once; return the missing topics written to; raise as ``StateLogs.take``."""
        positions = self.logs.positions(self.position)
        self.logs.take(self._inspector.inspect(positions, self._topics.partitions), self.position)
        return self._inspector.missing([*logs_of(self._topics), *map(self._topics.name, _SENT_BACK)])

    def write_ends(self) -> None:
        """End transactions where Kafka has left their end out; raise as ``apply`` does."""
        if self.producer.ends_due:
            self.producer.write_ends()

    def apply(self, batches: Batches) -> Iterator[Outcome]:
        """
        Fold batches, given with their offsets, make their effects durable and then visible, and yield those.

        Each ``foldable_runs`` of the batches is one transaction. Order of steps, and what a crash costs at
        each: (1) fold: nothing; (2) one transaction writes states, outputs, transfers and position: all or
        nothing; (3) memory takes them over: a restart restores them from the log. Raises FencedError and
        KafkaException; after either, this object must not be used again.
        """
        for run in foldable_runs(batches):
            yield self._apply(run)

    def _apply(self, run: Batches) -> Outcome:
        with _fold_lock:
            began = time.perf_counter()
            outcome = self._folded.prepare(run)
            folded = time.perf_counter()
            self._produce(outcome, self.logs.headers(run))
        self.producer.commit()
        self.logs.changelog_end = self.producer.written_end(
            (self._topics.changelog, self.number), self.logs.changelog_end, "changelog"
        )
        self._folded.commit(outcome)
        metrics.FOLD_SECONDS.observe(folded - began)
        metrics.COMMIT_SECONDS.observe(time.perf_counter() - folded)
        return outcome

    def _produce(self, outcome: Outcome, logs: Headers) -> None:
        producer, partition = self.producer, self.number
        producer.begin()
        for key, entry in outcome.shared_entries.items():
            producer.produce(self._topics.changelog, entry, key, partition)
        for key, row in outcome.owner_rows.items():
            producer.produce(self._topics.changelog, row, key, partition)
        for key, state in outcome.states.items():
            producer.produce(self._topics.changelog, state, key, partition)
            if state is None and not is_alias(split_key(key)[1]):  # the last of a deleted account
                for topic in ("account.health", "account.kpis"):
                    producer.produce(self._topics.name(topic), None, key, partition)
        outputs: tuple[tuple[Codec[Any], Sequence[tuple[bytes, Any]]], ...] = (
            (self._health, outcome.health),
            (self._kpis, outcome.kpis),
            (self._alert, outcome.alerts),
            (self._notification, outcome.notifications),
        )
        for codec, records in outputs:
            topic, encode = self._topics.name(codec.topic), codec.encode
            for key, record in records:
                producer.produce(topic, encode(record), key, partition)
        headers = [(MOVED_HEADER, str(partition).encode())]
        inputs: tuple[tuple[Codec[Any], Sequence[tuple[bytes, Any]]], ...] = (
            (self._transfer, outcome.transfers),
            (self._owner_alert, outcome.owner_alerts),
        )
        for codec, records in inputs:
            topic, encode = self._topics.name(codec.topic), codec.encode
            for key, record in records:
                target = partition_of(key, self._topics.partitions)
                producer.produce(topic, encode(record), key, target, headers)
        for report in outcome.feed_reports:
            key, value = account_key(report.tenant, report.account_id), self._feed_report.encode(report)
            for target in range(self._topics.partitions):
                producer.produce(self._topics.name(self._feed_report.topic), value, key, target, headers)
        position = encode_position(outcome.position)
        producer.produce(
            self._topics.changelog, position, position_key(partition), partition, logs, tracked=True
        )
