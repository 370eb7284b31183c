"""
The timeline of an account: every event about it that the journal still has, and its usage by week.

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
from schemas.codec.record_codec import codec
from schemas.connection import Connection
from schemas.identity.keys import account_key, partition_of
from schemas.records import JournalBatch, UsageCell
from schemas.times import DAY
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
"""The kind of entry that the events of a batch's list are."""

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
    """An account's events and weeks of usage, the newest first; ``begins`` is the journal's first time."""

    begins: int = 0
    whole: bool = True
    entries: list[TimelineEntry] = field(default_factory=list)
    weeks: list[UsageWeek] = field(default_factory=list)

    @property
    def features(self) -> list[str]:
        """The features that were used, the most used first."""
        return [name for name, _ in sum((week.features for week in self.weeks), Counter[str]()).most_common()]


def account_timeline(
    connection: Connection, topics: Topics, registry: Registry, tenant: str, account_id: str
) -> Timeline:
    """Return an account's timeline; raise KafkaException."""
    partition = partition_of(account_key(tenant, account_id), topics.partitions)
    journal = JournalBatchReader(codec("account.journal", registry))
    start = TopicPartition(topics.name("account.journal"), partition, 0)
    batches = (journal.decode(record.value or b"") for record in read_to_end(connection, [start]))
    return timeline_of(batches, tenant, account_id)


def timeline_of(batches: Iterable[JournalBatch], tenant: str, account_id: str) -> Timeline:
    """Return an account's timeline from its partition's batches."""
    found, weeks = Timeline(), dict[int, UsageWeek]()
    used: dict[str, set[int]] = {}
    for batch in batches:
        if not found.begins:
            found.begins, found.whole = batch.written_at, batch.sequence == 0
        own = batch_of_account(batch, tenant, account_id)
        for cell in own.usage:
            _add(weeks, used, cell)
        found.entries += _entries(own)
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
                yield TimelineEntry(event.occurred_at, kind, phrase)


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
