"""
Usage with its lost days filled in: an outage of a source is nobody's silence.

On a lost day (``processors.lost_days``) an account counts as it did a week before where less of it came, so
every measure sees a usual day. Whoever came last before the lost days is silent from their end on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from msgspec.structs import replace

from processors.state.activity import activities_like
from processors.state.parts import Day, Usage
from schemas.times import DAY

__all__ = ["filled", "refilled"]

_NO_USAGE = Day()
_MASK_DAYS = 40
"""Lost days whose people are filled in, counted from the last use: an activity tells of 32 days."""


def filled(usage: Usage, lost: Sequence[int]) -> Usage:
    """Return the usage with these UTC days, in order, filled in; nothing of the given one changes."""
    if usage.first_at is None or usage.last_at is None:
        return usage
    first, last = usage.first_at // DAY, usage.last_at // DAY
    like = {day: before for day in lost if (before := _weekday_before(day, lost)) >= first}
    days = dict(usage.days)
    for day, before in like.items():
        usual = usage.days.get(before, _NO_USAGE)
        if usual.events > days.get(day, _NO_USAGE).events:
            days[day] = usual
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


def _weekday_before(day: int, lost: Sequence[int]) -> int:
    """Return the same weekday of the latest week before a day that was not lost."""
    day -= 7
    while day in lost:
        day -= 7
    return day


def _lost_since(day: int, lost: Sequence[int]) -> int:
    """Return how many days were lost after a day."""
    return len(lost) - bisect_right(lost, day)
