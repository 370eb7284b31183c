"""
Replay of one partition of the journal: folds it again without publishing, and compares with the live state.

It runs in a process of its own, so its job and its report are small.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import TopicPartition
from xxhash import xxh3_128_digest

from bellbuoy.operations.kafka.registry import registry
from bellbuoy.settings import Settings
from processors.fold.models_in_force import Models
from processors.fold.partition import Batches, FoldedPartition
from processors.fold.shared import Shared
from processors.merging.transfers import is_forwarded
from processors.model import load_model
from processors.observe.deletion import is_erased
from processors.owners.rows import OWNERS_KEY, row_name, row_tenant
from processors.state.position import POSITION_KEY, Position, decode_position, is_account
from schemas.codec.record_codec import Codec, codec
from schemas.identity.keys import split_key
from schemas.inputs import ACCOUNT_FIELDS
from schemas.records import AlertNotification, JournalBatch, RiskAlert
from streams.journal.batch_reader import JournalBatchReader, batch_of_account
from streams.kafka.log_reader import read_to_end
from streams.kafka.record import KafkaRecord

__all__ = ["AccountId", "ReplayJob", "ReplayReport", "journal_batches", "replay_partition"]

AccountId = tuple[str, str]
"""Tenant, and account id within it."""

_BATCHES_PER_FOLD = 16


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """
    Parameters of one partition's replay.

    ``since`` and ``until`` bound the outcomes that are reported, journal time in UTC milliseconds; the fold
    begins at the journal's beginning in any case. ``model`` and ``other`` are model texts; ``tenant`` is the
    only tenant to fold.
    """

    settings: Settings
    partition: int
    model: str
    since: int
    until: int | None = None
    other: str | None = None
    tenant: str | None = None

    def codec(self, topic: str) -> Codec[Any]:
        """Return the codec of a topic in this deployment."""
        return codec(topic, registry(self.settings))

    def records(self, name: str) -> Iterator[KafkaRecord]:
        """Read the partition of a topic (its name on the broker) to its end; raise KafkaException."""
        return read_to_end(self.settings.kafka.connection(), [TopicPartition(name, self.partition, 0)])


@dataclass(slots=True)
class ReplayReport:
    """
    Result of one partition's replay.

    ``first`` is the sequence number that the journal begins with; unless it is 0, older batches are gone.
    ``states``, ``alerts`` and ``owners`` (rows of the owners' stage, and notifications) name what differs
    from the live state. For the other model, ``bands`` counts accounts by (band, other band), ``moved`` names
    the accounts whose band differs, and ``opened`` has the alerts opened by (tenant, account, rule), under
    the model and under the other, where they differ.
    """

    partition: int
    first: int = 0
    begins: int = 0
    ends: int = 0
    batches: int = 0
    events: int = 0
    accounts: int = 0
    changes: int = 0
    states: list[AccountId] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    bands: Counter[tuple[str, str]] = field(default_factory=Counter)
    moved: list[tuple[str, str, str, str]] = field(default_factory=list)
    opened: dict[tuple[str, str, str], tuple[int, int]] = field(default_factory=dict)


class _ModelReplay:
    """The partition folded with one model, and digests of the alerts that this publishes."""

    def __init__(self, job: ReplayJob, models: Models, start: Position) -> None:
        self.folded = FoldedPartition(job.partition, Shared(models), position=start)
        self.alerts: dict[tuple[str, str, int], bytes] = {}
        self.notifications: dict[str, bytes] = {}
        self.opened: Counter[tuple[str, str, str]] = Counter()
        self._since = job.since
        self._codec = job.codec("risk.alerts")
        self._notification_codec = job.codec("alert.notifications")

    def add(self, batches: Batches) -> None:
        for outcome in self.folded.apply(batches):
            for _, alert in outcome.alerts:
                self._count(alert)
            for _, told in outcome.notifications:
                if told.created_at >= self._since:
                    digest = xxh3_128_digest(self._notification_codec.encode(told))
                    self.notifications[told.notification_id] = digest

    def scored_accounts(self) -> list[bytes]:
        """Return the keys of the accounts that have a score, sorted: no aliases, none merged or deleted."""
        states = ((key, self.folded.state(key)) for key in self.folded.states)
        return sorted(key for key, state in states if not is_forwarded(state) and not is_erased(state))

    def band(self, key: bytes) -> str:
        return self.folded.state(key).band

    def _count(self, alert: RiskAlert) -> None:
        if alert.changed_at < self._since:
            return
        self.alerts[_alert_key(alert)] = xxh3_128_digest(self._codec.encode(alert))
        if alert.change == "opened":
            self.opened[alert.tenant, alert.account_id, alert.rule] += 1


def replay_partition(job: ReplayJob, progress: Callable[[int, int], None]) -> ReplayReport:
    """
    Fold a partition and compare it with the live state, and with another model; raise KafkaException.

    ``progress`` is called with the partition and how many batches are folded. The live state is the one at
    the start of the replay; with ``until`` only alerts are compared, as Kafka keeps no older state.
    """
    live, rows, position = _live_states(job)
    report = ReplayReport(job.partition)
    replays: list[_ModelReplay] = []
    chunk: list[tuple[int, JournalBatch]] = []

    def fold() -> None:
        for replay in replays:
            replay.add(chunk)
        report.batches += len(chunk)
        chunk.clear()
        progress(job.partition, report.batches)

    for offset, batch in journal_batches(job, position):
        if not replays:
            report.first, report.begins = batch.sequence, batch.written_at
            start = Position(sequence=batch.sequence - 1)
            models = [Models(load_model(job.model))]
            if job.other is not None:
                models.append(Models(load_model(job.other), fixed=True))
            replays = [_ModelReplay(job, of_model, start) for of_model in models]
        report.ends = batch.written_at
        report.events += sum(cell.events for cell in batch.usage)
        report.events += sum(len(getattr(batch, name)) for name in ACCOUNT_FIELDS if name != "usage")
        chunk.append((offset, batch))
        if len(chunk) == _BATCHES_PER_FOLD:
            fold()
    if replays:
        fold()
        _compare(job, report, replays, live)
        _compare_owners(job, report, replays[0], rows)
    else:  # their journal is gone, so none can be replayed
        report.states = sorted(map(split_key, live))
        report.owners = sorted(map(row_name, rows))
    return report


def journal_batches(job: ReplayJob, position: Position) -> Iterable[tuple[int, JournalBatch]]:
    """Yield the batches of a partition up to a position, each with its offset; raise KafkaException."""
    journal = JournalBatchReader(job.codec("account.journal"))
    for record in job.records(job.settings.kafka.topics().name("account.journal")):
        if record.offset > position.offset:
            return
        batch = journal.decode(record.value or b"")
        if job.until is not None and batch.written_at >= job.until:
            return
        yield record.offset, batch if job.tenant is None else batch_of_account(batch, job.tenant)
        if record.offset == position.offset:
            return


def _live_states(job: ReplayJob) -> tuple[dict[bytes, bytes], dict[bytes, bytes], Position]:
    """Return digests of the live states and rows by key, and the position of the last batch they include."""
    states: dict[bytes, bytes] = {}
    rows: dict[bytes, bytes] = {}
    position = Position()
    for record in job.records(job.settings.kafka.topics().changelog):
        key = record.key or b""
        if key.startswith(POSITION_KEY):
            position = decode_position(record.value or b"")
            continue
        if key.startswith(OWNERS_KEY):
            live, tenant = rows, row_tenant(key)
        elif is_account(key):
            live, tenant = states, split_key(key)[0]
        else:
            continue
        if record.value is None:
            live.pop(key, None)
        elif job.tenant in (None, tenant):
            live[key] = xxh3_128_digest(record.value)
    return states, rows, position


def _compare(
    job: ReplayJob, report: ReplayReport, replays: list[_ModelReplay], live: dict[bytes, bytes]
) -> None:
    ours = replays[0]
    report.accounts, report.changes = len(ours.scored_accounts()), len(ours.alerts)
    if job.until is None:
        states = {key: xxh3_128_digest(raw) for key, raw in ours.folded.states.items()}
        keys = sorted(key for key in states.keys() | live.keys() if states.get(key) != live.get(key))
        report.states = [split_key(key) for key in keys]
    published = _live_alerts(job, report)
    differing = sorted(
        key for key in published.keys() | ours.alerts.keys() if published.get(key) != ours.alerts.get(key)
    )
    report.alerts = [f"{alert_id} {change} in batch {sequence}" for alert_id, change, sequence in differing]
    for other in replays[1:]:
        for key in ours.scored_accounts():
            bands = ours.band(key), other.band(key)
            report.bands[bands] += 1
            if bands[0] != bands[1]:
                report.moved.append((*split_key(key), *bands))
        for rule in sorted(ours.opened.keys() | other.opened.keys()):
            if ours.opened[rule] != other.opened[rule]:
                report.opened[rule] = ours.opened[rule], other.opened[rule]


def _compare_owners(
    job: ReplayJob, report: ReplayReport, ours: _ModelReplay, live: dict[bytes, bytes]
) -> None:
    if job.until is None:
        rows = {key: xxh3_128_digest(raw) for key, raw in ours.folded.owner_rows.items()}
        differing = (key for key in rows.keys() | live.keys() if rows.get(key) != live.get(key))
        report.owners = sorted(map(row_name, differing))
    decode = job.codec("alert.notifications").decode
    published: dict[str, bytes] = {}
    for record in job.records(job.settings.kafka.topics().name("alert.notifications")):
        told: AlertNotification = decode(record.value)
        replayed = max(job.since, report.begins) <= told.created_at <= report.ends
        if replayed and job.tenant in (None, told.tenant):
            published[told.notification_id] = xxh3_128_digest(record.value or b"")
    notified = ours.notifications
    report.owners += sorted(
        f"notification {each}"
        for each in published.keys() | notified.keys()
        if published.get(each) != notified.get(each)
    )


def _live_alerts(job: ReplayJob, report: ReplayReport) -> dict[tuple[str, str, int], bytes]:
    """Return digests of the alerts that were published in the time that was replayed."""
    alerts = job.codec("risk.alerts")
    published: dict[tuple[str, str, int], bytes] = {}
    for record in job.records(job.settings.kafka.topics().name("risk.alerts")):
        alert: RiskAlert = alerts.decode(record.value)
        replayed = max(job.since, report.begins) <= alert.changed_at <= report.ends
        if replayed and job.tenant in (None, alert.tenant):
            published[_alert_key(alert)] = xxh3_128_digest(alerts.encode(alert))
    return published


def _alert_key(alert: RiskAlert) -> tuple[str, str, int]:
    return alert.alert_id, alert.change, alert.sequence
