"""
Counts of an account's people, in one compiled pass over their activities (``processors.state.activity``).

Several measures ask for them, and each new day of a user changes them all.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.columnar.compiled import compiled

__all__ = ["PeopleCounts", "count_people"]


class PeopleCounts(NamedTuple):
    """
    People of an account on a day.

    ``seen`` in 90 days, ``month`` of them in 28 days, the day included. ``regulars`` had 4 days of use or
    more in the 32 days up to their last one, and ``regulars_gone`` of them have not come for 14 days. The
    most habitual person had ``most_days`` of these 32 days, and came last on ``most_last`` (UTC day); 0
    without people. ``month_days`` is the sum over the people of the days of use in the 28 days before the
    day.
    """

    seen: int
    month: int
    regulars: int
    regulars_gone: int
    most_days: int
    most_last: int
    month_days: int


def count_people(activities: Collection[int], day: int) -> PeopleCounts:
    """Return the counts of the people with these activities on a UTC day."""
    return PeopleCounts(*_count(np.fromiter(activities, np.int64, len(activities)), day))


@compiled
def _count(activities: NDArray[np.int64], day: int) -> tuple[int, int, int, int, int, int, int]:
    month = regulars = regulars_gone = most_days = most_last = month_days = 0
    for activity in activities:
        last, mask = activity >> 32, activity & 0xFFFFFFFF
        age = max(day - last, 0)
        days = _bits(mask)
        if age < 28:
            month += 1
        if age < 29:
            month_days += _bits((mask << age) & 0x1FFFFFFE)
        if days >= 4:
            regulars += 1
            if last <= day - 14:
                regulars_gone += 1
        if days > most_days or (days == most_days and last > most_last):
            most_days, most_last = days, last
    return len(activities), month, regulars, regulars_gone, most_days, most_last, month_days


@compiled
def _bits(mask: int) -> int:
    """Return the number of bits set in a number below 2 ** 32."""
    mask -= (mask >> 1) & 0x55555555
    mask = (mask & 0x33333333) + ((mask >> 2) & 0x33333333)
    mask = (mask + (mask >> 4)) & 0x0F0F0F0F
    return ((mask * 0x01010101) & 0xFFFFFFFF) >> 24
