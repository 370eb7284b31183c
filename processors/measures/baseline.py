"""Measures of usage against the account's own past: weekday by weekday, and without public holidays."""

from __future__ import annotations

from math import sqrt
from statistics import median

from processors.measures.definition import PROFILES, USAGE, MeasureValue, measure
from processors.measures.example import ago
from processors.measures.formats import count, mean
from processors.state.usage_parts import PAST
from processors.view.view import BASELINE_WEEKS, View
from schemas.records import UsageEvent

__all__ = ["anomaly", "drop", "regularity", "weekly_usage"]

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday
_MIN_WEEKDAYS = 4
"""With fewer same weekdays before it, a day's usual usage is not known."""

_MAX_VALUE = 9.99
_MAD_TO_SIGMA = 1.4826
"""The standard deviation of a normal distribution over its median absolute deviation."""


def weekly_usage(view: View) -> tuple[int, float] | None:
    """
    Return the events of the running week and the account's usual week, or ``None`` without a baseline.

    The running week is the better of the last 7 complete days and the 7 days that include today, so that a
    day that has only begun never counts against the account. The usual week is the median of up to 8 whole
    weeks before it; at least 2 are needed. Weeks end on the same weekday, so weekdays are compared with the
    same weekdays. When a public holiday falls into the running week, the last 7 complete days that were no
    holidays take its place, and the usual week is the sum of the medians of their weekdays.
    """
    if view.usage.first_at is None:
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
    """Return the events of up to 8 same weekdays before a day, without holidays, since the first usage."""
    first = view.age(view.usage.first_at or 0)
    ages = range(age + 7, min(age + 7 * BASELINE_WEEKS, first, len(view.events) - 1) + 1, 7)
    return [view.events[past] for past in ages if view.today - past not in view.holidays]


@measure(
    "usage.drop",
    kpi="Usage frequency",
    unit="ratio of usual",
    window="7 days against the 8 weeks before",
    sources=(USAGE, PROFILES),
    needs="usage over at least three whole weeks",
    example=(
        ago(range(7, 64), UsageEvent, name="Report Viewed"),
        ago((1, 3), UsageEvent, name="Report Viewed"),
    ),
)
def drop(view: View) -> MeasureValue:
    """Return the usage of this week as a share of the account's own usual week, without public holidays."""
    weekly = weekly_usage(view)
    if weekly is None:
        return MeasureValue(None, "No usual week to compare with yet")
    this, usual = weekly
    ratio = min(this / usual, _MAX_VALUE)
    if ratio < 1:
        events = f"{count(this, 'event')}, usually {mean(usual)}"
        return MeasureValue(ratio, f"Usage down {1 - ratio:.0%} against its usual week ({events})")
    return MeasureValue(ratio, f"Usage at {ratio:.0%} of its usual week ({count(this, 'event')})")


@measure(
    "usage.anomaly",
    kpi="Anomaly against the same weekdays",
    unit="deviations",
    window="the last complete working day against 8 same weekdays",
    sources=(USAGE, PROFILES),
    needs="usage on at least 4 such weekdays before",
    example=(
        ago(4 * (*range(2, 64),), UsageEvent, name="Report Viewed"),
        ago((1, 1), UsageEvent, name="Report Viewed"),
    ),
    reads=PAST,
)
def anomaly(view: View) -> MeasureValue:
    """
    Return how far the usage of the last complete working day is from its usual, in robust deviations.

    Negative: below. Usual is the median of up to 8 same weekdays before. A deviation is 1.4826 times their
    median absolute deviation, but at least what chance gives a count of that size (its square root). A
    weekday on which the account usually does nothing, and a public holiday of its country, are left out.
    """
    if view.usage.first_at is None:
        return MeasureValue(None, "No product usage seen yet")
    for age in range(1, 8):
        if view.today - age in view.holidays:
            continue
        past = _past(view, age)
        if len(past) < _MIN_WEEKDAYS:
            break
        usual = median(past)
        if usual > 0:
            return _deviation(view, age, past, usual)
    return MeasureValue(None, "No usual working day to compare with yet")


def _deviation(view: View, age: int, past: list[int], usual: float) -> MeasureValue:
    events = view.events[age]
    spread = max(_MAD_TO_SIGMA * median(abs(count - usual) for count in past), sqrt(usual), 1.0)
    value = max(-_MAX_VALUE, min((events - usual) / spread, _MAX_VALUE))
    weekday = _WEEKDAYS[_weekday(view, age)]
    if events == usual:
        return MeasureValue(value, f"{weekday} as usual ({count(events, 'event')})")
    side = "below" if events < usual else "above"
    return MeasureValue(
        value,
        f"{weekday} {abs(events / usual - 1):.0%} {side} its usual "
        f"({count(events, 'event')}, usually {mean(usual)})",
    )


@measure(
    "usage.regularity",
    kpi="Regularity",
    unit="ratio",
    window="28 complete days",
    sources=(USAGE, PROFILES),
    needs="usage for at least a week",
    example=(
        ago(range(5, 60), UsageEvent, name="Report Viewed"),
        ago((1, 2), UsageEvent, name="Report Viewed"),
    ),
    reads=PAST,
)
def regularity(view: View) -> MeasureValue:
    """
    Return the share of the account's own working days in 28 days on which it used the product.

    Its working days are the weekdays on which it was active in at least half of the last 8 weeks, without
    public holidays of its country; Monday to Friday while it has no such weekday.
    """
    if view.usage.first_at is None:
        return MeasureValue(None, "No product usage seen yet")
    known = min(view.age(view.usage.first_at), 7 * BASELINE_WEEKS)
    if known < 7:
        return MeasureValue(None, "Known for less than a week")
    weekdays = [first for first in range(1, 8) if _is_working_day(view.events[first : known + 1 : 7])]
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


def _is_working_day(counts: list[int]) -> bool:
    return bool(counts) and 2 * counts.count(0) <= len(counts)
