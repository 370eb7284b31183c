"""
The state table of one worker: the accounts of every partition it owns, restored from the changelog.

A :class:`PartitionState` is one partition: states, position, due heap and the transactions that write them.
Memory is never ahead of the log: batches are committed first and applied after.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import structlog
from confluent_kafka import TopicPartition

from processors.fold.due import DueHeap
from processors.fold.evaluation_cache import LoadedAccount
from processors.fold.fold import Fold, Outcome, parts
from processors.fold.models_in_force import Models
from processors.fold.schedule import schedule, schedule_all
from processors.fold.shared import SHARED_KEY, Shared
from processors.model import Model
from processors.state.position import POSITION_KEY, Position, decode_position, encode_position, position_key
from schemas.codec.record_codec import codec
from schemas.codec.registry import Registry
from schemas.identity.keys import partition_of
from schemas.records import JournalBatch
from schemas.topics import Topics
from streams.kafka.clients import Transactions, read_to_end
from streams.kafka.headers import MOVED_HEADER
from streams.worker import metrics

__all__ = ["PartitionState"]

log = structlog.get_logger(__name__)

_RECENT_BYTES = 6_000_000
"""Accounts of a partition kept as values, in bytes as stored; as values they take about 15 times that."""

_turn = threading.Lock()
"""Python runs one thread at a time: partitions that take turns are done one by one, not all at the end."""


class PartitionState:
    """One partition's accounts. Making it fences every earlier owner, then restores from the changelog."""

    def __init__(
        self, bootstrap: str, topics: Topics, partition: int, model: Model, registry: Registry
    ) -> None:
        self.partition = partition
        self.position = Position()
        self.states: dict[bytes, bytes] = {}
        self.end = 0
        self._topics = topics
        self._shared = Shared(Models(model))
        self._due = DueHeap()
        self._recent = _AccountCache()
        self._health = codec("account.health", registry)
        self._kpis = codec("account.kpis", registry)
        self._alert = codec("risk.alerts", registry)
        self._transfer = codec("account.transfers", registry)
        # Fence first: before it, a dead owner's open transaction would hide the changelog's end.
        self._transactions = Transactions(bootstrap, f"{topics.app_id}-accounts-{partition}")
        began = time.perf_counter()
        entries: dict[bytes, bytes] = {}
        for record in read_to_end(bootstrap, [TopicPartition(topics.changelog, partition, 0)]):
            self.end = record.offset + 1
            self._restore(record.key or b"", record.value, entries)
        self._shared = self._shared.with_entries(entries)
        schedule_all(self._due, self.states, self._shared.models)
        seconds = time.perf_counter() - began
        metrics.RESTORE_SECONDS.observe(seconds)
        metrics.ACCOUNTS.labels(partition=partition).set(len(self.states))
        log.info(
            "State restored.",
            partition=partition,
            accounts=len(self.states),
            sequence=self.position.sequence,
            seconds=round(seconds, 3),
        )

    def _restore(self, key: bytes, value: bytes | None, entries: dict[bytes, bytes]) -> None:
        if key.startswith(POSITION_KEY):
            if value is not None:
                self.position = decode_position(value)
        elif key.startswith(SHARED_KEY):
            if value is not None:
                entries[key] = value
        elif value is None:
            self.states.pop(key, None)
        else:
            self.states[key] = value

    def apply(self, batches: Sequence[tuple[int, JournalBatch]]) -> Iterator[Outcome]:
        """
        Fold batches, given with their offsets, and make their effects durable, then visible; yield those.

        A batch that changes models ends a transaction, as every account is due after it.

        Order, and what a crash costs there: (1) fold: nothing; (2) one transaction writes states,
        outputs, transfers and position: all or nothing; (3) memory: the restart restores it from the log.
        Raises FencedError and KafkaException; after either, this object must not be used again.
        """
        for part in parts(batches):
            yield self._apply(part)

    def _apply(self, batches: Sequence[tuple[int, JournalBatch]]) -> Outcome:
        with _turn:
            began = time.perf_counter()
            fold = Fold(
                self.states,
                self.position,
                partition=self.partition,
                shared=self._shared,
                take=self._recent.take,
            )
            for offset, batch in batches:
                fold.add(batch, offset, self._due.peek(batch.written_at))
            outcome = fold.outcome()
            folded = time.perf_counter()
            self._produce(outcome)
        self._transactions.commit()
        self.states |= outcome.states
        self.position = outcome.position
        self._recent.keep(outcome)
        schedule(self._due, outcome, self.states, self._shared)
        self._shared = outcome.shared
        metrics.FOLD_SECONDS.observe(folded - began)
        metrics.COMMIT_SECONDS.observe(time.perf_counter() - folded)
        return outcome

    def _produce(self, outcome: Outcome) -> None:
        transactions, partition = self._transactions, self.partition
        transactions.begin()
        for key, entry in outcome.entries.items():
            transactions.produce(self._topics.changelog, entry, key, partition)
        for key, state in outcome.states.items():
            transactions.produce(self._topics.changelog, state, key, partition)
        for name, encode, records in (
            ("account.health", self._health.encode, outcome.health),
            ("account.kpis", self._kpis.encode, outcome.kpis),
            ("risk.alerts", self._alert.encode, outcome.alerts),
        ):
            topic = self._topics.name(name)
            for key, record in records:
                transactions.produce(topic, encode(record), key, partition)
        moved, told = self._topics.name("account.transfers"), [(MOVED_HEADER, str(partition).encode())]
        for key, transfer in outcome.transfers:
            there = partition_of(key, self._topics.partitions)
            transactions.produce(moved, self._transfer.encode(transfer), key, there, told)
        position = encode_position(outcome.position)
        transactions.produce(self._topics.changelog, position, position_key(partition), partition)


class _AccountCache:
    """Accounts as values, so that those in use need not be decoded; the longest unused go first."""

    def __init__(self) -> None:
        self._accounts: dict[bytes, tuple[LoadedAccount, int]] = {}
        self._bytes = 0

    def take(self, key: bytes) -> LoadedAccount | None:
        """Give an account away to be changed; until ``keep`` brings it back it isn't known here."""
        account, size = self._accounts.pop(key, (None, 0))
        self._bytes -= size
        return account

    def keep(self, outcome: Outcome) -> None:
        """Take the accounts of a committed outcome."""
        for key, account in outcome.known.items():
            self.take(key)
            size = len(outcome.states[key])
            self._accounts[key] = (account, size)
            self._bytes += size
        while self._bytes > _RECENT_BYTES:
            self.take(next(iter(self._accounts)))
