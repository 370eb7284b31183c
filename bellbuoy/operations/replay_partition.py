"""
One partition of the journal folded again, outputs muted, and held against what is live.

Runs in a process of its own: what goes in and comes out is small.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import TopicPartition
from xxhash import xxh3_128_digest

from bellbuoy.operations.registry import registry
from bellbuoy.settings import Settings
from processors.fold.models_in_force import Models
from processors.fold.partition import Batches, FoldedPartition
from processors.fold.shared import Shared
from processors.merging.transfers import is_forwarded
from processors.model import load_model
from processors.state.position import POSITION_KEY, Position, decode_position, is_account
from schemas.codec.record_codec import Codec, codec
from schemas.identity.keys import split_key
from schemas.inputs import ACCOUNT_FIELDS
from schemas.records import JournalBatch, RiskAlert
from streams.journal.batch_reader import JournalBatchReader, batch_of_account
from streams.kafka.log_reader import read_to_end
from streams.kafka.record import KafkaRecord

__all__ = ["ReplayJob", "ReplayReport", "Who", "replay_partition"]

Who = tuple[str, str]
"""Tenant and account id."""

_PER_FOLD = 16


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """
    What to replay.

    ``since`` and ``until`` bound the outcomes that count, journal time in UTC milliseconds; the fold begins
    where the journal begins all the same. ``model`` and ``other`` are model texts.
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
        return read_to_end(self.settings.kafka.bootstrap, [TopicPartition(name, self.partition, 0)])


@dataclass(slots=True)
class ReplayReport:
    """
    What came of one partition.

    ``first`` is the sequence number that the journal begins with: unless 0, what came before is not in it.
    ``states`` and ``alerts`` name what differs from live. Of the other model, ``bands`` counts (band, other
    band), ``moved`` names accounts whose band differs, and ``opened`` counts alerts by (tenant, account,
    rule): under the model, under the other.
    """

    partition: int
    first: int = 0
    begins: int = 0
    ends: int = 0
    batches: int = 0
    events: int = 0
    accounts: int = 0
    changes: int = 0
    states: list[Who] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    bands: Counter[tuple[str, str]] = field(default_factory=Counter)
    moved: list[tuple[str, str, str, str]] = field(default_factory=list)
    opened: dict[tuple[str, str, str], tuple[int, int]] = field(default_factory=dict)


class _ModelReplay:
    """The partition folded with one model, and the alerts that came of it."""

    def __init__(self, job: ReplayJob, models: Models, start: Position) -> None:
        self.folded = FoldedPartition(job.partition, Shared(models), position=start)
        self.alerts: dict[tuple[str, str, int], bytes] = {}
        self.opened: Counter[tuple[str, str, str]] = Counter()
        self._since = job.since
        self._codec = job.codec("risk.alerts")

    def add(self, batches: Batches) -> None:
        for outcome in self.folded.apply(batches):
            for _, alert in outcome.alerts:
                self._count(alert)

    def judged(self) -> list[bytes]:
        """Return the accounts that are judged, in their order: neither aliases nor merged ones."""
        return sorted(key for key in self.folded.states if not is_forwarded(self.folded.state(key)))

    def band(self, key: bytes) -> str:
        return self.folded.state(key).band

    def _count(self, alert: RiskAlert) -> None:
        if alert.changed_at < self._since:
            return
        self.alerts[_name(alert)] = xxh3_128_digest(self._codec.encode(alert))
        if alert.change == "opened":
            self.opened[alert.tenant, alert.account_id, alert.rule] += 1


def replay_partition(job: ReplayJob, told: Callable[[int, int], None]) -> ReplayReport:
    """
    Fold a partition and hold it against live, or against another model; raise KafkaException.

    ``told`` hears the partition and how many batches were folded. Live is compared as it stands when this
    begins; with ``until`` only its alerts are, as the state then is not kept.
    """
    live, position = _live_states(job)
    report = ReplayReport(job.partition)
    replays: list[_ModelReplay] = []
    chunk: list[tuple[int, JournalBatch]] = []

    def fold() -> None:
        for replay in replays:
            replay.add(chunk)
        report.batches += len(chunk)
        chunk.clear()
        told(job.partition, report.batches)

    for offset, batch in _batches(job, position):
        if not replays:
            report.first, report.begins = batch.sequence, batch.written_at
            start = Position(sequence=batch.sequence - 1)
            models = [Models(load_model(job.model))]
            if job.other is not None:
                models.append(Models(load_model(job.other), fixed=True))
            replays = [_ModelReplay(job, one, start) for one in models]
        report.ends = batch.written_at
        report.events += sum(cell.events for cell in batch.usage)
        report.events += sum(len(getattr(batch, name)) for name in ACCOUNT_FIELDS if name != "usage")
        chunk.append((offset, batch))
        if len(chunk) == _PER_FOLD:
            fold()
    if replays:
        fold()
        _compare(job, report, replays, live)
    else:
        report.states = sorted(map(split_key, live))  # their journal is gone
    return report


def _batches(job: ReplayJob, position: Position) -> Iterable[tuple[int, JournalBatch]]:
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


def _live_states(job: ReplayJob) -> tuple[dict[bytes, bytes], Position]:
    """Return the live states as digests, and the position they stand at."""
    states: dict[bytes, bytes] = {}
    position = Position()
    for record in job.records(job.settings.kafka.topics().changelog):
        key = record.key or b""
        if key.startswith(POSITION_KEY):
            position = decode_position(record.value or b"")
        elif not is_account(key):
            continue
        elif record.value is None:
            states.pop(key, None)
        elif job.tenant in (None, split_key(key)[0]):
            states[key] = xxh3_128_digest(record.value)
    return states, position


def _compare(
    job: ReplayJob, report: ReplayReport, replays: list[_ModelReplay], live: dict[bytes, bytes]
) -> None:
    ours = replays[0]
    report.accounts, report.changes = len(ours.judged()), len(ours.alerts)
    if job.until is None:
        found = {key: xxh3_128_digest(raw) for key, raw in ours.folded.states.items()}
        keys = sorted(key for key in found.keys() | live.keys() if found.get(key) != live.get(key))
        report.states = [split_key(key) for key in keys]
    known = _live_alerts(job, report)
    differ = sorted(
        key for key in known.keys() | ours.alerts.keys() if known.get(key) != ours.alerts.get(key)
    )
    report.alerts = [f"{alert_id} {change} in batch {sequence}" for alert_id, change, sequence in differ]
    for other in replays[1:]:
        for key in ours.judged():
            pair = ours.band(key), other.band(key)
            report.bands[pair] += 1
            if pair[0] != pair[1]:
                report.moved.append((*split_key(key), *pair))
        for who in sorted(ours.opened.keys() | other.opened.keys()):
            if ours.opened[who] != other.opened[who]:
                report.opened[who] = ours.opened[who], other.opened[who]


def _live_alerts(job: ReplayJob, report: ReplayReport) -> dict[tuple[str, str, int], bytes]:
    """Return digests of the alerts that live has published in the time that was replayed."""
    alerts = job.codec("risk.alerts")
    known: dict[tuple[str, str, int], bytes] = {}
    for record in job.records(job.settings.kafka.topics().name("risk.alerts")):
        alert: RiskAlert = alerts.decode(record.value)
        told = max(job.since, report.begins) <= alert.changed_at <= report.ends
        if told and job.tenant in (None, alert.tenant):
            known[_name(alert)] = xxh3_128_digest(alerts.encode(alert))
    return known


def _name(alert: RiskAlert) -> tuple[str, str, int]:
    return alert.alert_id, alert.change, alert.sequence
