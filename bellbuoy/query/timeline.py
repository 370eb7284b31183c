"""
The timeline of an account: every event about it that the journal still has, its alerts, its usage by week.

Usage is in the journal by day and not by event, so a week tells its events, its users and on how many days
each feature was used.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import TopicPartition
from msgspec.structs import replace

from bellbuoy.query.batch_summary import batch_summary
from processors.intake.erased_events import without_erased_people
from processors.state.account_acts import ACCOUNT_ACTS
from schemas.codec.record_codec import codec
from schemas.connection import Connection
from schemas.identity.erasures import NOBODY, Erasures
from schemas.identity.keys import account_key, partition_of
from schemas.records import AlertAction, JournalBatch, RiskAlert, UsageCell
from schemas.times import DAY
from streams.delivery.erased import without_erased
from streams.journal.batch_reader import JournalBatchReader, batch_of_account
from streams.kafka.log_reader import read_to_end

if TYPE_CHECKING:
    from schemas.codec.registry import Registry
    from schemas.topics import Topics

__all__ = ["KINDS", "Timeline", "TimelineEntry", "UsageWeek", "account_timeline", "timeline_of"]

KINDS = {
    "support": "ticket",
    "billing": "billing",
    "surveys": "survey",
    "engagement": "contact",
    "profiles": "profile",
    "actions": "alert",
    "overrides": "override",
    "links": "link",
}
"""The kind of entry that the events of a batch's list are; notes and tasks are kinds of their own."""

_NOTHING = JournalBatch(sequence=0, written_at=0)
_WEEK = 7
_MONDAY = 3
"""Days from the first Monday back to 1970-01-01, a Thursday."""


class TimelineEntry(NamedTuple):
    """An event about an account: when it happened (UTC milliseconds), its kind, and what it was in words."""

    at: int
    kind: str
    what: str


@dataclass(slots=True)
class UsageWeek:
    """The usage of one week from Monday, ``begins`` (UTC milliseconds): ``features`` has the days of each."""

    begins: int
    events: int = 0
    errors: int = 0
    users: set[int] = field(default_factory=set)
    features: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Timeline:
    """
    An account's events, alerts and weeks of usage, the newest first; ``begins`` is the journal's first time.

    ``alerts`` are the newest record of each.
    """

    begins: int = 0
    whole: bool = True
    entries: list[TimelineEntry] = field(default_factory=list)
    weeks: list[UsageWeek] = field(default_factory=list)
    alerts: list[RiskAlert] = field(default_factory=list)

    @property
    def features(self) -> list[str]:
        """The features that were used, the most used first."""
        return [name for name, _ in sum((week.features for week in self.weeks), Counter[str]()).most_common()]


def account_timeline(
    connection: Connection,
    topics: Topics,
    registry: Registry,
    tenant: str,
    account_id: str,
    erasures: Erasures = NOBODY,
) -> Timeline:
    """Return an account's timeline, without what people did who were erased since; raise KafkaException."""
    key = account_key(tenant, account_id)
    partition = partition_of(key, topics.partitions)
    journal = JournalBatchReader(codec("account.journal", registry))
    start = TopicPartition(topics.name("account.journal"), partition, 0)
    batches = (
        without_erased_people(journal.decode(record.value or b""), tenant, account_id, erasures)
        for record in read_to_end(connection, [start])
    )
    decode = codec("risk.alerts", registry).decode
    published = TopicPartition(topics.name("risk.alerts"), partition, 0)
    outputs = (
        without_erased(decode(record.value or b""), erasures)
        for record in read_to_end(connection, [published])
        if record.key == key
    )
    alerts = [output for output in outputs if isinstance(output, RiskAlert)]
    return timeline_of(batches, tenant, account_id, alerts)


def timeline_of(
    batches: Iterable[JournalBatch], tenant: str, account_id: str, alerts: Iterable[RiskAlert] = ()
) -> Timeline:
    """Return an account's timeline from its partition's batches, and from the records of its alerts."""
    found, weeks = Timeline(), dict[int, UsageWeek]()
    used: dict[str, set[int]] = {}
    for batch in batches:
        if not found.begins:
            found.begins, found.whole = batch.written_at, batch.sequence == 0
        own = batch_of_account(batch, tenant, account_id)
        for cell in own.usage:
            _add(weeks, used, cell)
        found.entries += _entries(own)
    newest: dict[str, RiskAlert] = {}
    for alert in alerts:
        if alert.shadow:
            continue
        newest[alert.alert_id] = alert
        if alert.change != "updated":
            found.entries.append(TimelineEntry(alert.changed_at, KINDS["actions"], _in_words(alert)))
    found.alerts = sorted(newest.values(), key=lambda alert: -alert.opened_at)
    for feature, days in used.items():
        for day in days:
            weeks[_week(day)].features[feature] += 1
    found.entries.sort(key=lambda entry: -entry.at)
    found.weeks = [weeks[number] for number in sorted(weeks, reverse=True)]
    return found


def _entries(batch: JournalBatch) -> Iterator[TimelineEntry]:
    for name, kind in KINDS.items():
        for event in getattr(batch, name):
            for phrase in batch_summary(replace(_NOTHING, **{name: [event]})):
                own = _kind_of_act(event) if isinstance(event, AlertAction) else kind
                yield TimelineEntry(event.occurred_at, own, phrase)


def _in_words(alert: RiskAlert) -> str:
    about = f" ({alert.subject})" if alert.subject else ""
    end = f", {alert.resolution.replace('_', ' ')}" if alert.resolution and alert.change == "resolved" else ""
    return f"alert {alert.change}: {alert.title}{about}{end}"


def _kind_of_act(action: AlertAction) -> str:
    if action.kind not in ACCOUNT_ACTS:
        return KINDS["actions"]
    return "note" if action.kind == "noted" else "task"


def _add(weeks: dict[int, UsageWeek], used: dict[str, set[int]], cell: UsageCell) -> None:
    number = _week(cell.day)
    week = weeks.setdefault(number, UsageWeek((number * _WEEK - _MONDAY) * DAY))
    week.events += cell.events
    week.errors += cell.errors
    week.users.update(array("I", cell.users))
    for feature in cell.features:
        used.setdefault(feature, set()).add(cell.day)


def _week(day: int) -> int:
    return (day + _MONDAY) // _WEEK
