"""Usage against the account's own past: weekday by weekday, and without public holidays."""

from __future__ import annotations

from math import sqrt
from statistics import median

from processors.measures.measured import PAST, PROFILES, USAGE, MeasureValue, measure
from processors.measures.view import View

__all__ = ["anomaly", "drop", "regularity", "weekly_usage"]

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday
_WEEKS = 8
_FEWEST = 4
_MOST = 9.99
_NORMAL = 1.4826
"""Times the median absolute deviation, this is the standard deviation of a normal distribution."""


def weekly_usage(view: View) -> tuple[int, float] | None:
    """
    Return the events of the running week and the account's usual week, or ``None`` without a baseline.

    The running week is the better of the last 7 complete days and the 7 days that include today, so
    a day that has only begun is never held against the account. The usual week is the median of the
    up to 8 whole weeks before it; at least 2 are needed. Weeks align, so weekdays compare with the
    same weekdays. With a public holiday in it, the running week is the last 7 complete days that were
    none, and the usual one the sum of their weekdays' medians.
    """
    if view.state.usage.first_at is None:
        return None
    usual = view.usual_week
    if usual is None or usual <= 0:
        return None
    if not (view.holidays and any(view.today - age in view.holidays for age in range(8))):
        week = sum(view.events[:7])
        return max(week, week - view.events[0] + view.events[7]), usual
    ages = [age for age in range(1, 21) if view.today - age not in view.holidays][:7]
    usual = sum(median(past) for age in ages if (past := _past(view, age)))
    return (sum(view.events[age] for age in ages), usual) if usual > 0 else None


def _past(view: View, age: int) -> list[int]:
    """Return the events of the up to 8 same weekdays before a day, without holidays and the unknown."""
    first = view.age(view.state.usage.first_at or 0)
    ages = range(age + 7, min(age + 7 * _WEEKS, first, len(view.events) - 1) + 1, 7)
    return [view.events[past] for past in ages if view.today - past not in view.holidays]


@measure(
    "usage.drop",
    unit="ratio of usual",
    window="7 days against the 8 weeks before",
    sources=(USAGE, PROFILES),
    needs="usage over at least three whole weeks",
)
def drop(view: View) -> MeasureValue:
    """Return this week's usage as a share of the account's own usual week, public holidays left out."""
    weekly = weekly_usage(view)
    if weekly is None:
        return MeasureValue(None, "No usual week to compare with yet")
    this, usual = weekly
    ratio = min(this / usual, _MOST)
    if ratio < 1:
        return MeasureValue(
            ratio,
            f"Usage down {1 - ratio:.0%} against its usual week ({this:,} events, usually {usual:,.0f})",
        )
    return MeasureValue(ratio, f"Usage at {ratio:.0%} of its usual week ({this:,} events)")


@measure(
    "usage.anomaly",
    unit="deviations",
    window="the last complete working day against 8 same weekdays",
    sources=(USAGE, PROFILES),
    needs="usage on at least 4 such weekdays before",
    reads=PAST,
)
def anomaly(view: View) -> MeasureValue:
    """
    Return how far the last complete working day lies from its usual, in robust deviations; negative: below.

    The usual is the median of the up to 8 same weekdays before, the deviation 1.4826 times their median
    absolute deviation, but at least what chance gives a count of that size (its square root). A weekday on
    which the account usually does nothing, and a public holiday of its country, are passed over.
    """
    if view.state.usage.first_at is None:
        return MeasureValue(None, "No product usage seen yet")
    for age in range(1, 8):
        if view.today - age in view.holidays:
            continue
        past = _past(view, age)
        if len(past) < _FEWEST:
            break
        usual = median(past)
        if usual > 0:
            return _deviation(view, age, past, usual)
    return MeasureValue(None, "No usual working day to compare with yet")


def _deviation(view: View, age: int, past: list[int], usual: float) -> MeasureValue:
    events = view.events[age]
    spread = max(_NORMAL * median(abs(count - usual) for count in past), sqrt(usual), 1.0)
    value = max(-_MOST, min((events - usual) / spread, _MOST))
    weekday = _WEEKDAYS[_weekday(view, age)]
    if events == usual:
        return MeasureValue(value, f"{weekday} as usual ({events:,} events)")
    side = "below" if events < usual else "above"
    return MeasureValue(
        value,
        f"{weekday} {abs(events / usual - 1):.0%} {side} its usual ({events:,} events, usually {usual:,g})",
    )


@measure(
    "usage.regularity",
    unit="ratio",
    window="28 complete days",
    sources=(USAGE, PROFILES),
    needs="usage for at least a week",
    reads=PAST,
)
def regularity(view: View) -> MeasureValue:
    """
    Return the share of the account's own working days in 28 days on which it used the product.

    Its working days are the weekdays it was active on in at least half of the 8 weeks, without public
    holidays of its country; Monday to Friday where it has none yet.
    """
    if view.state.usage.first_at is None:
        return MeasureValue(None, "No product usage seen yet")
    known = min(view.age(view.state.usage.first_at), 7 * _WEEKS)
    if known < 7:
        return MeasureValue(None, "Known for less than a week")
    weekdays = [first for first in range(1, 8) if _works(view.events[first : known + 1 : 7])]
    weekdays = weekdays or [first for first in range(1, 8) if _weekday(view, first) < 5]
    ages = [age for first in weekdays for age in range(first, min(28, known) + 1, 7)]
    if view.holidays:
        ages = [age for age in ages if view.today - age not in view.holidays]
    if not ages:
        return MeasureValue(None, "No working day yet")
    used = sum(1 for age in ages if view.events[age])
    return MeasureValue(used / len(ages), f"In the product on {used} of {len(ages)} of its working days")


def _weekday(view: View, age: int) -> int:
    return (view.today - age + _EPOCH_WEEKDAY) % 7


def _works(counts: list[int]) -> bool:
    return bool(counts) and 2 * counts.count(0) <= len(counts)
