"""
Detection of lost days: UTC days on which a tenant's usage or engagement didn't come.

Few accounts of a tenant share a partition, so nobody can tell there whether they are silent or their source
is. After each day a partition counts its accounts that should have come and those that fell short, and
reports the counts to all partitions. The reports of a day add up to the same numbers everywhere, and so to
the same judgement: the first day of an outage has more accounts that fall short all at once than chance
gives, and it lasts while more than usual do. Lost days are filled in (``processors.view.filled``).

    accounts that should have come   12  11  12  10 │ 12  11  12 │ 12
    fell short                        1   0   1   2 │ 11  10  11 │  1
                                                    └ lost days ─┘

Engagement is rarer: no account should come on a given day. There the days in a row on which nothing came for
anybody are lost once so many events were to be expected on them that chance hardly brings none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import comb
from typing import NamedTuple

import msgspec

from processors.state.parts import Usage
from schemas.inputs import ENGAGEMENT, USAGE
from schemas.records import OWN_SOURCE, FeedReport
from schemas.times import DAY, HOUR

__all__ = [
    "DayCounts",
    "FeedDays",
    "contact_count_of",
    "count_of",
    "counted",
    "reported",
    "shortfall",
    "with_report",
]

_ALL_ACCOUNTS = "*"
"""The account id in reports, which concern a tenant."""

_REPORT_AFTER = HOUR
"""A partition reports a day so long after its end: by then every account was evaluated on the next day."""

_MIN_SHORT = 3
"""Fewer accounts that fall short are their own affair."""

_CHANCE = 0.02
"""A day begins an outage when chance brings so many new accounts that fall short on fewer days than this."""

_STAYS_CHANCE = 0.05
"""An outage lasts while chance alone brings so many that fall short on fewer days than this."""

_MORE = 0.15
"""Share of the accounts by which more than usual fall short in an outage: fewer move no alerts."""

_LONGEST = 14
"""Days after which an outage is what is usual."""

_EXPECTED = 5.0
"""Days on which nothing came are lost where so many accounts were to be expected: chance brings none of so
many with 0.7 %."""

_LEAST_PAST_DAYS = 21
"""Days of which the usual number of accounts must be known."""

_PAST_DAYS = 28
_KEPT_DAYS = 90
_HELD_DAYS = 400
"""Lost days of engagement are known for so long: a milestone may wait for longer than usage counts."""

_REJUDGED_DAYS = 3
_PAST_WEEKS = 4
_FURTHEST_WEEKS = 8
_EPOCH_WEEKDAY, _SATURDAY = 3, 5
"""1970-01-01 was a Thursday; Monday is 0."""

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
    Knowledge of a tenant's events of one topic by UTC day.

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
    topic: str = USAGE.topic


def contact_count_of(heard_at: int | None, day: int) -> DayCounts:
    """Return what one account adds to the counts of a day of engagement; it was last heard of at a time."""
    heard = None if heard_at is None else heard_at // DAY
    if heard is None or not day - _PAST_DAYS < heard:
        return DayCounts()
    return DayCounts(1, int(heard != day))


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
    if day < 0 or now < (day + 1) * DAY + _REPORT_AFTER:
        return None
    report = FeedReport(
        event_id=f"{feed.topic}:{day}:{partition}",
        tenant=feed.tenant,
        account_id=_ALL_ACCOUNTS,
        source=OWN_SOURCE,
        occurred_at=now,
        received_at=now,
        topic=feed.topic,
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
    if feed.topic == ENGAGEMENT.topic:
        return msgspec.structs.replace(feed, days=days, lost=_silent_days(newest, days, feed.lost))
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
    judged = [day for day, counts in feed.days.items() if counts.expected >= _MIN_SHORT][-2:]
    if len(judged) < 2 or not all(day in feed.lost for day in judged):
        return None
    since = judged[0]
    while since - 1 in feed.lost:
        since -= 1
    return Shortfall(since, feed.days[judged[-1]])


def _silent_days(newest: int, days: Mapping[int, DayCounts], lost: Sequence[int]) -> tuple[int, ...]:
    """Return the lost days of engagement once a day has ended, by the counts of that day and those before."""
    came = {day: counts.expected - counts.short for day, counts in days.items()}
    first = newest + 1
    while came.get(first - 1) == 0:
        first -= 1
    earlier = tuple(day for day in lost if newest - _HELD_DAYS < day < first)
    past = [day for day in range(first - _PAST_DAYS, first) if day in came and day not in earlier]
    if len(past) < _LEAST_PAST_DAYS:
        return earlier
    silent = range(first, newest + 1)
    expected = 0.0
    for weekend in (False, True):
        usual = [came[day] for day in past if _is_weekend(day) == weekend]
        expected += sum(usual) / max(1, len(usual)) * sum(_is_weekend(day) == weekend for day in silent)
    return (*earlier, *silent) if expected >= _EXPECTED else earlier


def _is_weekend(day: int) -> bool:
    return (day + _EPOCH_WEEKDAY) % 7 >= _SATURDAY


def _is_lost(day: int, days: Mapping[int, DayCounts], lost: Collection[int]) -> bool:
    """Judge a day by its own counts, those of the days before, and which of them were lost."""
    counts, goes_on = days.get(day, DayCounts()), day - 1 in lost
    if all(day - age in lost for age in range(1, _LONGEST + 1)):
        return False
    if goes_on and counts.expected < _MIN_SHORT:
        return True
    if not goes_on and counts.newly_short < _MIN_SHORT:
        return False
    past = DayCounts()
    for before in range(day - _PAST_DAYS, day):
        if before in days and before not in lost:
            past = past.plus(days[before])
    if goes_on:
        usual = (past.short + 2) / (past.expected + 20)
        return _is_more(counts.short, counts.expected, usual, _STAYS_CHANCE)
    usual = (past.newly_short + 1) / (past.expected + 20)
    return _is_more(counts.newly_short, counts.expected, usual, _CHANCE)


def _is_more(short: int, expected: int, usual: float, chance: float) -> bool:
    """Tell whether clearly more accounts fell short than usual, by more than chance."""
    return short >= (usual + _MORE) * expected and _chance(expected, short, usual) < chance


def _chance(of: int, least: int, share: float) -> float:
    """
    Return how probable it is that *least* or more of so many fall short, each with a probability.

    *least* is no less than the mean, so each number is less probable than the one before.
    """
    if of > 1_000:  # the sums stay small, and shares are exact enough
        of, least = 1_000, least * 1_000 // of
    chance = 0.0
    for number in range(least, of + 1):
        before = chance
        chance += comb(of, number) * share**number * (1 - share) ** (of - number)
        if chance == before:
            break
    return chance
