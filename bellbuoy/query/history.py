"""
An account's past, folded again from its partition of the journal.

Only what is of the account is folded, so that it is quick; but what all accounts share (models, silent
sources) hears everything. What comes of it is what was published then, to the byte.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from confluent_kafka import TopicPartition
from msgspec.structs import replace

from bellbuoy.query.score_changes import ScoreChange, score_change
from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from processors.state.position import Position
from schemas.codec.record_codec import codec
from schemas.identity.keys import ALL_TENANTS, account_key, partition_of
from schemas.inputs import ACCOUNT_FIELDS
from schemas.records import AccountHealth, AccountKpis, JournalBatch, RiskAlert
from sinks.serving import HistoryEntry
from streams.journal.batch_reader import JournalBatchReader, batch_of_account
from streams.kafka.log_reader import read_to_end

if TYPE_CHECKING:
    from schemas.codec.registry import Registry
    from schemas.topics import Topics

__all__ = ["AccountHistory", "Step", "account_history", "history_of", "of_account", "steps"]

_HISTORY = 40
_TELL_EVERY = 1_000


@dataclass(frozen=True, slots=True)
class Step:
    """What a batch published of the account, some of it perhaps, and what of the batch is the account's."""

    health: AccountHealth | None
    kpis: AccountKpis | None
    alerts: list[RiskAlert]
    batch: JournalBatch


@dataclass(slots=True)
class AccountHistory:
    """
    What the journal says of an account up to a time.

    ``first`` is the sequence number it begins with: unless 0, what came before is missing. It ``begins`` at
    that time (0: it is empty), and ``ends`` with the last of the ``batches`` that were read. ``health`` is
    the last that was published (``None``: nothing yet), ``history`` the latest changes of score or band,
    newest first, ``kpis`` and ``alerts`` those of then. ``moves`` are the batches that moved the score, in
    their order.
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
        """Tell whether the journal still begins where the partition did."""
        return self.first == 0


def account_history(
    bootstrap: str,
    topics: Topics,
    registry: Registry,
    tenant: str,
    account_id: str,
    *,
    until: int | None,
    since: int | None,
    told: Callable[[int], None],
) -> AccountHistory:
    """
    Return an account's past, with its moves from ``since`` on; raise KafkaException.

    Both times are included, journal time in UTC milliseconds. ``told`` hears how many batches are read.
    """
    partition = partition_of(account_key(tenant, account_id), topics.partitions)
    journal = JournalBatchReader(codec("account.journal", registry))
    start = TopicPartition(topics.name("account.journal"), partition, 0)

    batches = (
        (record.offset, journal.decode(record.value or b"")) for record in read_to_end(bootstrap, [start])
    )
    return history_of(batches, partition, tenant, account_id, until=until, since=since, told=told)


def history_of(
    batches: Iterable[tuple[int, JournalBatch]],
    partition: int,
    tenant: str,
    account_id: str,
    *,
    until: int | None = None,
    since: int | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> AccountHistory:
    """Return what a partition's batches, given with their offsets, say of an account."""
    past = AccountHistory()
    history: deque[HistoryEntry] = deque(maxlen=_HISTORY)
    alerts: dict[str, RiskAlert] = {}

    def counted() -> Iterator[tuple[int, JournalBatch]]:
        for offset, batch in batches:
            if not past.batches:
                past.first, past.begins = batch.sequence, batch.written_at
            if until is not None and batch.written_at > until:
                return
            past.batches += 1
            past.ends = batch.written_at
            if past.batches % _TELL_EVERY == 0:
                told(past.batches)
            yield offset, batch

    for step in steps(counted(), partition, tenant, account_id):
        past.kpis = step.kpis or past.kpis
        alerts |= {alert.alert_id: alert for alert in step.alerts}
        before, health = past.health, step.health
        if health is None:
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
    told(past.batches)
    past.history = list(reversed(history))
    open_alerts = past.health.open_alerts if past.health is not None else []
    past.alerts = [alerts[alert_id] for alert_id in open_alerts if alert_id in alerts]
    return past


def steps(
    batches: Iterable[tuple[int, JournalBatch]], partition: int, tenant: str, account_id: str
) -> Iterator[Step]:
    """Yield what a partition's batches, given with their offsets, publish of one account."""
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
    """Return a batch without what is of other accounts; ``None`` when nothing is of this one."""
    kept = batch_of_account(batch, tenant, account_id)
    if not any(getattr(kept, name) for name in ACCOUNT_FIELDS):
        return None
    return replace(kept, models=[one for one in batch.models if one.tenant in (tenant, ALL_TENANTS)])
