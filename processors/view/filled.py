"""
Usage with its lost days filled in: an outage of a source is nobody's silence.

Of a lost day (``processors.lost_days``) of which an account has less than half its usual, it counts as the
mean of such weekdays before and after it, so every measure sees a usual day. What came as usual, or was made
up for, stays as it came. Whoever came last before the lost days is silent from their end on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice

from msgspec.structs import replace

from processors.state.activity import activities_like
from processors.state.parts import Day, Usage
from schemas.times import DAY

__all__ = ["filled", "refilled"]

_NO_USAGE = Day()
_MASK_DAYS = 40
"""Lost days whose people are filled in, counted from the last use: an activity tells of 32 days."""

_WEEKDAYS, _WEEKS = 2, 8
"""Weekdays on each side that a lost one is the mean of, and the weeks in which they are looked for: the bad
day of one week is not counted twice, and a level that falls or rises goes on as it does."""


def filled(usage: Usage, lost: tuple[int, ...], today: int) -> Usage:
    """Return the usage with these UTC days, in order, filled in; nothing of the given one changes."""
    if usage.first_at is None or usage.last_at is None:
        return usage
    first, last = usage.first_at // DAY, usage.last_at // DAY
    days, like = dict(usage.days), dict[int, int]()
    for day, before, after in _near(lost):
        past = [each for each in before if each >= first]
        if not past:
            continue
        near = past + [each for each in after if each < today]
        usual = [usage.days.get(each, _NO_USAGE) for each in near]
        came = usage.days.get(day, _NO_USAGE)
        if 2 * came.events * len(usual) < sum(each.events for each in usual):
            days[day] = _mean(usual)
        elif came.events:
            continue
        like[day] = past[0]
    recent = {day: before for day, before in like.items() if day > last - _MASK_DAYS}
    return replace(
        usage,
        days=days,
        users=activities_like(usage.users, lost, recent),
        features={feature: day + _lost_since(day, lost) for feature, day in usage.features.items()},
        last_at=usage.last_at + _lost_since(last, lost) * DAY,
    )


def refilled(before: Usage, usage: Usage, lost: Sequence[int]) -> Usage:
    """Return the filled usage after more of today, which changed its bucket, whose object both share."""
    if usage.last_at is None:
        return usage
    last_at = usage.last_at + _lost_since(usage.last_at // DAY, lost) * DAY
    return replace(before, first_at=usage.first_at, last_at=last_at)


@lru_cache(256)
def _near(lost: tuple[int, ...]) -> tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...]:
    """Return each lost day with the same weekdays before it and after it, the same for all accounts."""
    return tuple((day, tuple(_weekdays(day, -7, lost)), tuple(_weekdays(day, 7, lost))) for day in lost)


def _weekdays(day: int, step: int, lost: Sequence[int]) -> Iterator[int]:
    """Yield the nearest days, by steps of a week, that were not lost."""
    days = range(day + step, day + (_WEEKS + 1) * step, step)
    yield from islice((each for each in days if each not in lost), _WEEKDAYS)


def _mean(days: Sequence[Day]) -> Day:
    """Return the mean of some days; where there was any event, it has one at least."""
    number = len(days)

    def mean(total: int) -> int:
        return (2 * total + number) // (2 * number)

    return Day(
        events=max(1, mean(sum(day.events for day in days))),
        errors=mean(sum(day.errors for day in days)),
        duration_ms=mean(sum(day.duration_ms for day in days)),
        latency_ms=mean(sum(day.latency_ms for day in days)),
        latencies=mean(sum(day.latencies for day in days)),
    )


def _lost_since(day: int, lost: Sequence[int]) -> int:
    """Return how many days were lost after a day."""
    return len(lost) - bisect_right(lost, day)
