"""
History of an account: its part of the journal folded again, which gives exactly the records published then.

Only the account's own events are folded, so that it is quick; the state that all accounts share (models,
silent sources) takes every batch in full.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from confluent_kafka import TopicPartition
from msgspec.structs import replace

from bellbuoy.query.account import Explanation
from bellbuoy.query.account import as_data as explanation_data
from bellbuoy.query.score_changes import ScoreChange, score_change
from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from processors.intake.erased_events import without_erased_people
from processors.state.position import Position
from schemas.codec.record_codec import codec
from schemas.connection import Connection
from schemas.identity.erasures import NOBODY, Erasures
from schemas.identity.keys import ALL_TENANTS, account_key, partition_of
from schemas.inputs import ACCOUNT_FIELDS
from schemas.records import AccountHealth, AccountKpis, JournalBatch, RiskAlert
from sinks.serving import HistoryEntry
from streams.journal.batch_reader import JournalBatchReader, batch_of_account
from streams.kafka.log_reader import read_to_end

if TYPE_CHECKING:
    from schemas.codec.registry import Registry
    from schemas.topics import Topics

__all__ = [
    "AccountHistory",
    "Step",
    "account_history",
    "as_data",
    "explanation_then",
    "history_of",
    "of_account",
    "steps",
]

_HISTORY_ENTRIES = 40
_BATCHES_PER_PROGRESS = 1_000


@dataclass(frozen=True, slots=True)
class Step:
    """The records that a batch published of the account, and the part of the batch that is the account's."""

    health: AccountHealth | None
    kpis: AccountKpis | None
    alerts: list[RiskAlert]
    batch: JournalBatch


@dataclass(slots=True)
class AccountHistory:
    """
    An account at a time, and its history up to then, from the journal.

    ``first`` is the sequence number of the journal's first batch; unless it is 0, older batches are gone.
    ``begins`` and ``ends`` are the times of the first and the last of the ``batches`` that were read,
    UTC milliseconds (0: the journal is empty). ``health`` is the last that was published (``None``: nothing
    yet), ``kpis`` and ``alerts`` are those of that time, ``history`` the latest changes of score or band,
    newest first, and ``moves`` the batches that changed the score, in their order.
    """

    first: int = 0
    begins: int = 0
    ends: int = 0
    batches: int = 0
    health: AccountHealth | None = None
    kpis: AccountKpis | None = None
    alerts: list[RiskAlert] = field(default_factory=list)
    history: list[HistoryEntry] = field(default_factory=list)
    moves: list[ScoreChange] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Return whether the journal still has the partition's first batch."""
        return self.first == 0


def explanation_then(past: AccountHistory, health: AccountHealth) -> Explanation:
    """Return the explanation of the account at the end of its history."""
    return Explanation(health, past.alerts, past.history, past.kpis)


def as_data(past: AccountHistory, health: AccountHealth, at: int, since: int | None) -> dict[str, Any]:
    """Return a history as data for programs: the explanation at *at*, the journal's bounds, every move."""
    data = explanation_data(explanation_then(past, health), at) | {
        "at": at,
        "journal_begins": past.begins,
        "journal_ends": past.ends,
        "journal_whole": past.whole,
    }
    if since is None:
        return data
    return data | {"since": since, "moves": msgspec.to_builtins(past.moves)}


def account_history(
    connection: Connection,
    topics: Topics,
    registry: Registry,
    tenant: str,
    account_id: str,
    *,
    until: int | None,
    since: int | None,
    progress: Callable[[int], None],
    erasures: Erasures = NOBODY,
) -> AccountHistory:
    """
    Return an account's history up to ``until``, with its moves from ``since`` on; raise KafkaException.

    What people did who were erased since is left out. Both times are included, journal time in UTC
    milliseconds. ``progress`` is called with how many batches are read so far.
    """
    partition = partition_of(account_key(tenant, account_id), topics.partitions)
    journal = JournalBatchReader(codec("account.journal", registry))
    start = TopicPartition(topics.name("account.journal"), partition, 0)

    batches = (
        (
            record.offset,
            without_erased_people(journal.decode(record.value or b""), tenant, account_id, erasures),
        )
        for record in read_to_end(connection, [start])
    )
    return history_of(batches, partition, tenant, account_id, until=until, since=since, progress=progress)


def history_of(
    batches: Iterable[tuple[int, JournalBatch]],
    partition: int,
    tenant: str,
    account_id: str,
    *,
    until: int | None = None,
    since: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> AccountHistory:
    """Return an account's history from its partition's batches, given with their offsets."""
    past = AccountHistory()
    history: deque[HistoryEntry] = deque(maxlen=_HISTORY_ENTRIES)
    alerts: dict[str, RiskAlert] = {}

    def counted_batches() -> Iterator[tuple[int, JournalBatch]]:
        for offset, batch in batches:
            if not past.batches:
                past.first, past.begins = batch.sequence, batch.written_at
            if until is not None and batch.written_at > until:
                return
            past.batches += 1
            past.ends = batch.written_at
            if past.batches % _BATCHES_PER_PROGRESS == 0:
                progress(past.batches)
            yield offset, batch

    for step in steps(counted_batches(), partition, tenant, account_id):
        past.kpis = step.kpis or past.kpis
        alerts |= {alert.alert_id: alert for alert in step.alerts}
        before, health = past.health, step.health
        if health is None:
            continue
        if health.deleted:  # what was published before is no history of it any more
            past.health = past.kpis = None
            past.moves, alerts = [], {}
            history.clear()
            continue
        if before is None or (before.score, before.band) != (health.score, health.band):
            history.append(
                HistoryEntry(
                    as_of=health.as_of, version=health.sequence, score=health.score, band=health.band
                )
            )
        if since is not None and health.as_of >= since:
            moved = score_change(before, health, step.batch)
            if moved.change:
                past.moves.append(moved)
        past.health = health
    progress(past.batches)
    past.history = list(reversed(history))
    open_alerts = past.health.open_alerts if past.health is not None else []
    past.alerts = [alerts[alert_id] for alert_id in open_alerts if alert_id in alerts]
    return past


def steps(
    batches: Iterable[tuple[int, JournalBatch]], partition: int, tenant: str, account_id: str
) -> Iterator[Step]:
    """Yield the records that a partition's batches, given with their offsets, publish of one account."""
    key = account_key(tenant, account_id)
    folded: FoldedPartition | None = None
    for offset, batch in batches:
        if folded is None:
            start = Position(sequence=batch.sequence - 1)
            select = partial(batch_of_account, tenant=tenant, account_id=account_id)
            folded = FoldedPartition(partition, Shared(), position=start, select=select)
        selected = of_account(batch, tenant, account_id)
        if selected is None and not folded.due(batch.written_at):
            folded.skip(offset, batch)
            continue
        for outcome in folded.apply([(offset, batch)]):
            health, kpis = dict(outcome.health).get(key), dict(outcome.kpis).get(key)
            alerts = [alert for of, alert in outcome.alerts if of == key]
            if health or kpis or alerts:
                nothing = JournalBatch(sequence=batch.sequence, written_at=batch.written_at)
                yield Step(health, kpis, alerts, selected or nothing)


def of_account(batch: JournalBatch, tenant: str, account_id: str) -> JournalBatch | None:
    """Return the part of a batch that is this account's; ``None`` when there is none."""
    kept = batch_of_account(batch, tenant, account_id)
    if not any(getattr(kept, name) for name in ACCOUNT_FIELDS):
        return None
    models = [change for change in batch.models if change.tenant in (tenant, ALL_TENANTS)]
    return replace(kept, models=models)
