"""
Detection of lost days: UTC days on which a tenant's usage didn't come, wholly or in part, for all or some.

Few accounts of a tenant share a partition, so nobody can tell there whether they are silent or their source
is. After each day a partition counts its accounts that should have come and those that fell short, and
reports the counts to all partitions. The reports of a day add up to the same numbers everywhere, and so to
the same judgement: the first day of an outage has more accounts that fall short all at once than chance
gives, and it lasts while more than usual do. Lost days are filled in (``processors.measures.filled``).

    accounts that should have come   12  11  12  10 │ 12  11  12 │ 12
    fell short                        1   0   1   2 │ 11  10  11 │  1
                                                    └ lost days ─┘
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import comb
from typing import NamedTuple

import msgspec

from processors.state.parts import Usage
from schemas.inputs import USAGE
from schemas.records import OWN_SOURCE, FeedReport
from schemas.times import DAY, HOUR

__all__ = [
    "REPORT_AFTER",
    "DayCounts",
    "FeedDays",
    "Shortfall",
    "count_of",
    "counted",
    "reported",
    "shortfall",
    "with_report",
]

_ALL_ACCOUNTS = "*"
"""The account id in reports, which concern a tenant."""

REPORT_AFTER = HOUR
"""A partition reports a day so long after its end: by then every account was evaluated on the next day."""

MIN_SHORT = 3
"""Fewer accounts that fall short are their own affair."""

_CHANCE = 0.02
"""A day begins an outage when chance brings so many new accounts that fall short on fewer days than this."""

_STAYS_CHANCE = 0.05
"""An outage lasts while chance alone brings so many that fall short on fewer days than this."""

_MORE = 0.15
"""Share of the accounts by which more than usual fall short in an outage: fewer move no alerts."""

_LONGEST = 14
"""Days after which an outage is what is usual."""

_PAST_DAYS = 28
_KEPT_DAYS = 90
_REJUDGED_DAYS = 3
_PAST_WEEKS = 4
_FURTHEST_WEEKS = 8
_SHORT_PART = 4
"""An account falls short with less than one part of so many of its usual events."""


class DayCounts(msgspec.Struct, array_like=True, frozen=True):
    """Accounts that should have come on a day, those that fell short, and those of them that are new."""

    expected: int = 0
    short: int = 0
    newly_short: int = 0

    def plus(self, other: DayCounts) -> DayCounts:
        """Return the sum of two counts."""
        return DayCounts(
            self.expected + other.expected,
            self.short + other.short,
            self.newly_short + other.newly_short,
        )


class FeedDays(msgspec.Struct, array_like=True, frozen=True):
    """
    Knowledge of a tenant's usage by UTC day.

    ``here`` are this partition's own counts of ``here_day``, which it has not reported yet (-1: of none), and
    ``reported_day`` is the last one that it has. ``days`` are the sums of all partitions' reports, and
    ``lost`` the days judged to be lost, in order. Kept in the changelog, so fields are only ever appended.
    """

    tenant: str
    here_day: int = -1
    here: DayCounts = DayCounts()
    reported_day: int = -1
    days: dict[int, DayCounts] = {}
    lost: tuple[int, ...] = ()


def count_of(usage: Usage, day: int, lost: Collection[int], holidays: Collection[int]) -> DayCounts:
    """
    Return what one account adds to the counts of a day, which is over.

    It should have come when it came on three of the last four such weekdays; it falls short with less than a
    quarter of its usual events, their median. It does newly where it didn't on the last day before on which
    it should have come.
    """
    short = _falls_short(usage, day, lost, holidays)
    if short is None:
        return DayCounts()
    if not short:
        return DayCounts(1)
    days = (day - age for age in range(1, 8) if day - age not in lost)
    earlier = (_falls_short(usage, before, lost, holidays) for before in days)
    newly = next((not before for before in earlier if before is not None), True)
    return DayCounts(1, 1, int(newly))


def _falls_short(usage: Usage, day: int, lost: Collection[int], holidays: Collection[int]) -> bool | None:
    """Tell whether an account fell short on a day; ``None``: nothing was to be expected of it."""
    if usage.first_at is None or day in holidays:
        return None
    first, past = usage.first_at // DAY, list[int]()
    for week in range(1, _FURTHEST_WEEKS + 1):
        before = day - 7 * week
        if before < first or len(past) == _PAST_WEEKS:
            break
        if before not in lost and before not in holidays:
            bucket = usage.days.get(before)
            past.append(0 if bucket is None else bucket.events)
    if len(past) < _PAST_WEEKS:
        return None
    past.sort()
    if past[1] == 0:
        return None
    bucket = usage.days.get(day)
    return 2 * _SHORT_PART * (0 if bucket is None else bucket.events) < past[1] + past[2]


def counted(feed: FeedDays, day: int, counts: DayCounts) -> FeedDays:
    """Return what is known after more accounts of this partition were counted for a day, the newest one."""
    if day <= feed.reported_day:
        return feed
    here = feed.here.plus(counts) if day == feed.here_day else counts
    return msgspec.structs.replace(feed, here_day=day, here=here)


def reported(feed: FeedDays, partition: int, now: int) -> tuple[FeedDays, FeedReport] | None:
    """Return this partition's report of a day that is over long enough, and what is known after it."""
    day = feed.here_day
    if day < 0 or now < (day + 1) * DAY + REPORT_AFTER:
        return None
    report = FeedReport(
        event_id=f"{USAGE.topic}:{day}:{partition}",
        tenant=feed.tenant,
        account_id=_ALL_ACCOUNTS,
        source=OWN_SOURCE,
        occurred_at=now,
        received_at=now,
        topic=USAGE.topic,
        day=day,
        expected=feed.here.expected,
        short=feed.here.short,
        newly_short=feed.here.newly_short,
    )
    return msgspec.structs.replace(feed, here_day=-1, here=DayCounts(), reported_day=day), report


def with_report(feed: FeedDays, report: FeedReport) -> FeedDays:
    """Return what is known after a partition's report."""
    counts = DayCounts(report.expected, report.short, report.newly_short)
    days = feed.days | {report.day: feed.days.get(report.day, DayCounts()).plus(counts)}
    newest = max(days)
    days = {day: days[day] for day in sorted(days) if day > newest - _KEPT_DAYS}
    settled = newest - _REJUDGED_DAYS
    lost = [day for day in feed.lost if newest - _KEPT_DAYS < day <= settled]
    for day in range(settled + 1, newest + 1):
        if _is_lost(day, days, lost):
            lost.append(day)
    return msgspec.structs.replace(feed, days=days, lost=tuple(lost))


class Shortfall(NamedTuple):
    """An outage that goes on: the lost day on which it began, and the counts of the newest one."""

    since: int
    newest: DayCounts


def shortfall(feed: FeedDays) -> Shortfall | None:
    """
    Return the outage of a tenant's usage that goes on; ``None``: there is none.

    The newest two days that could be judged must be lost: one may be a holiday that nobody told us of.
    """
    judged = [day for day, counts in feed.days.items() if counts.expected >= MIN_SHORT][-2:]
    if len(judged) < 2 or not all(day in feed.lost for day in judged):
        return None
    since = judged[0]
    while since - 1 in feed.lost:
        since -= 1
    return Shortfall(since, feed.days[judged[-1]])


def _is_lost(day: int, days: Mapping[int, DayCounts], lost: Collection[int]) -> bool:
    """Judge a day by its own counts, those of the days before, and which of them were lost."""
    counts = days.get(day, DayCounts())
    past = DayCounts()
    for before in range(day - _PAST_DAYS, day):
        if before in days and before not in lost:
            past = past.plus(days[before])
    if all(day - age in lost for age in range(1, _LONGEST + 1)):
        return False
    if day - 1 in lost:
        usual = (past.short + 2) / (past.expected + 20)
        return counts.expected < MIN_SHORT or _is_more(counts.short, counts.expected, usual, _STAYS_CHANCE)
    usual = (past.newly_short + 1) / (past.expected + 20)
    newly = counts.newly_short
    return newly >= MIN_SHORT and _is_more(newly, counts.expected, usual, _CHANCE)


def _is_more(short: int, expected: int, usual: float, chance: float) -> bool:
    """Tell whether clearly more accounts fell short than usual, by more than chance."""
    return short >= (usual + _MORE) * expected and _chance(expected, short, usual) < chance


def _chance(of: int, least: int, share: float) -> float:
    """Return how probable it is that *least* or more of so many fall short, each with a probability."""
    if of > 1_000:  # the sums stay small, and shares are exact enough
        of, least = 1_000, least * 1_000 // of
    return sum(
        comb(of, number) * share**number * (1 - share) ** (of - number) for number in range(least, of + 1)
    )
