"""
Measures of decline: usage, people and regular users against the account's own longer past.

They rest on complete days, so a day that has only begun never counts against an account. Where there is no
past to compare with there is no sign of decline: the value is then that of an account at rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

from processors.measures.baseline import weekly_usage
from processors.measures.definition import PROFILES, USAGE, MeasureValue, measure
from processors.measures.example import ago
from processors.measures.formats import count, mean
from processors.state.account import RING_DAYS
from processors.state.usage_parts import PAST, USERS
from processors.view import View
from schemas.records import UsageEvent
from schemas.times import DAY

__all__ = ["fortnight", "gap", "key_person", "people_lost", "regulars_lost", "trend", "week", "year"]

_PRIOR_EVENTS = 10
"""Events added on both sides of a ratio, so that few events don't make a trend."""

_FEWEST_PAST_WEEKS = 8
_PAST_WEEKS = 49
"""With the last four weeks it is the 53 of a year and a week."""

_FEWEST_ACTIVE_DAYS = 4
_SHORTEST_GAP = 3.0
"""Usual gap, in days, of an account that comes every working day: a weekend lies between."""

_MAX_VALUE = 9.99
_USED_TODAY = MeasureValue(0, "Used the product within a day")
_ABANDONED = "Nobody used the product in the last 90 days"
_NOBODY_LOST = MeasureValue(0, "Nobody stopped using the product")
_NO_REGULAR_LOST = MeasureValue(0, "No regular user stopped")
_NO_HABIT = MeasureValue(0, "No habitual user known")
_HABITUAL_DAYS = 6
_FADING = (
    ago(3 * (*range(29, 90),), UsageEvent, name="Report Viewed", user_id="ann"),
    ago(range(29, 90, 2), UsageEvent, name="Report Viewed", user_id="ben"),
    ago(range(5, 29, 2), UsageEvent, name="Report Viewed", user_id="ann"),
)


@measure(
    "usage.trend",
    kpi="Usage decline",
    unit="change",
    window="28 days against weeks 9 to 12",
    sources=(USAGE,),
    needs="nothing: 0 without usage some weeks ago",
    example=_FADING,
    reads=PAST,
)
def trend(view: View) -> MeasureValue:
    """
    Return the change of usage from weeks 9 to 12 before today to the last 28 complete days; -0.5: halved.

    Ten events are added to both, so that few events don't make a trend. An account that is younger has its
    earliest four whole weeks before the last four instead. Without any usage in 90 days it is -1.
    """
    first = view.usage.first_at
    known = 0 if first is None else view.today - first // DAY
    start = min(57, known - 27)
    if start < 29:
        return MeasureValue(0, "No usage of earlier months to compare with")
    if view.abandoned:
        return MeasureValue(-1, _ABANDONED)
    now, before = sum(view.events[1:29]), sum(view.events[start : start + 28])
    change = min((now + _PRIOR_EVENTS) / (before + _PRIOR_EVENTS) - 1, _MAX_VALUE)
    weeks = round(start / 7)
    return MeasureValue(change, f"{count(now, 'event')} in 28 days; {before:,} in 28 days {weeks} weeks ago")


@measure(
    "usage.fortnight",
    kpi="Usage decline",
    unit="deviations",
    window="14 days against the 8 weeks before",
    sources=(USAGE,),
    needs="nothing: 0 without usage over ten weeks",
    example=_FADING,
    reads=PAST,
)
def fortnight(view: View) -> MeasureValue:
    """
    Return how far the usage of the last 14 complete days is from that of the 8 weeks before, in deviations.

    The deviation is that of the four fortnights before, but at least what chance gives a count of that size
    (its square root) and a tenth of it.
    """
    first = view.usage.first_at
    if first is None or view.today - first // DAY < 71:
        return MeasureValue(0, "No usage of ten weeks to compare with")
    now = sum(view.events[1:15])
    past = [sum(view.events[start : start + 14]) for start in range(15, 71, 14)]
    usual = sum(past) / 4
    spread = max(sqrt(sum((each - usual) ** 2 for each in past) / 3), sqrt(usual), usual / 10, 1.0)
    value = max(-_MAX_VALUE, min((now - usual) / spread, _MAX_VALUE))
    return MeasureValue(value, f"{count(now, 'event')} in 14 days, usually {mean(usual)}")


@measure(
    "usage.year",
    kpi="Usage decline",
    unit="change",
    window="28 days against the last 53 weeks",
    sources=(USAGE,),
    needs="nothing: 0 without usage over four months",
    example=_FADING,
    reads=PAST,
)
def year(view: View) -> MeasureValue:
    """
    Return the change from the account's usual four weeks of up to a year to its last 28 complete days.

    The usual four weeks are the upper quartile of all four weeks in a row before the last four, so what was
    lost long ago is not forgotten. Where the same season of the last year was quieter than the eight weeks
    after it, less is expected of this one. Ten events are added to both: a few events make no change.
    """
    past = _past_weeks(view)
    if len(past) < _FEWEST_PAST_WEEKS:
        return MeasureValue(0, "No usage of earlier months to compare with")
    if view.abandoned:
        return MeasureValue(-1, _ABANDONED)
    windows = sorted(sum(past[place : place + 4]) for place in range(len(past) - 3))
    usual = windows[3 * len(windows) // 4] * _season(past)
    now = sum(view.events[1:29])
    change = min((now + _PRIOR_EVENTS) / (usual + _PRIOR_EVENTS) - 1, _MAX_VALUE)
    weeks = count(len(past), "week")
    return MeasureValue(
        change, f"{count(now, 'event')} in 28 days; usually {mean(usual)} over {weeks} before"
    )


def _past_weeks(view: View) -> list[int]:
    """Return the events of each whole week before the last 28 days, the newest first, a year back."""
    usage = view.usage
    if usage.first_at is None:
        return []
    newest = (view.today - 28) // 7 - 1
    oldest = max(usage.first_at // DAY // 7 + 1, newest - _PAST_WEEKS + 1)
    weeks = [usage.weeks.get(week, 0) for week in range(newest, oldest - 1, -1)]
    events = view.events
    for age in range(29, RING_DAYS + 1):
        place = newest - (view.today - age) // 7
        if 0 <= place < len(weeks):
            weeks[place] += events[age]
    return weeks


def _season(past: Sequence[int]) -> float:
    """Return which share of its usual the season of now had a year ago; 1 where it was not quiet."""
    if len(past) < _PAST_WEEKS:
        return 1.0
    then, after = sum(past[45:49]), sum(past[37:45]) / 2
    return 1.0 if then >= after else then / after


@measure(
    "usage.week",
    kpi="Usage decline",
    unit="change",
    window="7 days against the 8 weeks before",
    sources=(USAGE, PROFILES),
    needs="nothing: 0 without usage over at least three whole weeks",
    example=_FADING,
    reads=PAST,
)
def week(view: View) -> MeasureValue:
    """
    Return the change of usage from the account's usual week to the last 7 complete days.

    The usual week, and what public holidays change, is that of ``usage.drop``. Ten events are added to both,
    so that few events make no change.
    """
    weekly = weekly_usage(view)
    if weekly is None:
        return MeasureValue(0, "No usual week to compare with yet")
    this, usual = weekly
    if usual == view.usual_week:  # no public holidays: the running week may have been counted with today
        this = sum(view.events[1:8])
    change = min((this + _PRIOR_EVENTS) / (usual + _PRIOR_EVENTS) - 1, _MAX_VALUE)
    if this >= usual:
        return MeasureValue(change, f"Usage as in its usual week or more ({count(this, 'event')})")
    return MeasureValue(
        change,
        f"Usage down {1 - this / usual:.0%} against its usual week "
        f"({count(this, 'event')}, usually {mean(usual)})",
    )


@measure(
    "usage.gap",
    kpi="Usage silence",
    unit="usual gaps",
    window="since the last use; gaps of 90 days",
    sources=(USAGE, PROFILES),
    needs="any usage event",
    example=_FADING,
)
def gap(view: View) -> MeasureValue:
    """
    Return the days since the last use, in the account's own usual gaps between two days of use.

    The usual gap is the longest of nine in ten gaps before, and 3 days at least; with under 4 days of use in
    90 days it is a week. Public holidays of the account's country are no days of silence, nor are lost days;
    on these nothing shows how often the account comes.
    """
    last = view.usage.last_at
    if last is None:
        return MeasureValue(None, "No product usage seen yet")
    silent = view.age(last)
    if silent == 0:
        return _USED_TODAY
    days = [age for age, events in enumerate(view.unfilled.events) if events]
    usual = 7.0
    if len(days) >= _FEWEST_ACTIVE_DAYS:
        gaps = sorted(older - newer for newer, older in pairwise(days))
        usual = max(_SHORTEST_GAP, float(gaps[(9 * len(gaps) - 1) // 10]))
    counted = silent
    if view.holidays and 0 < silent <= RING_DAYS:
        counted -= sum(view.today - age in view.holidays for age in range(silent))
    value = min(counted / usual, _MAX_VALUE)
    return MeasureValue(value, f"No usage for {count(silent, 'day')}; {usual:g} are usual at most")


@measure(
    "people.lost",
    kpi="People lost",
    unit="share",
    window="28 days against 90",
    sources=(USAGE,),
    needs="nothing: 0 without named users",
    example=_FADING,
    reads=PAST | USERS,
)
def people_lost(view: View) -> MeasureValue:
    """
    Return the share of the people seen in 90 days who were not seen in the last 28.

    Two people who stay are added, so that one of one is a third. Where nobody came in 90 days, all are lost.
    """
    seen = view.people.seen
    lost = seen - view.people.month
    if not lost:
        return MeasureValue(1, _ABANDONED) if not seen and view.abandoned else _NOBODY_LOST
    return MeasureValue(lost / (seen + 2), f"{lost} of {count(seen, 'user')} not seen for 28 days")


@measure(
    "people.regulars_lost",
    kpi="People lost",
    unit="share",
    window="14 days against 90",
    sources=(USAGE,),
    needs="nothing: 0 without regular users",
    example=_FADING,
    reads=PAST | USERS,
)
def regulars_lost(view: View) -> MeasureValue:
    """
    Return the share of the regular users of 90 days who have not come for 14 days.

    A regular user had 4 days of use or more in the 32 days up to the last one. One who stays is added, so
    that one of one is a half. Where nobody came in 90 days, all are lost.
    """
    lost, regulars = view.people.regulars_gone, view.people.regulars
    if not lost:
        gone = not view.people.seen and view.abandoned
        return MeasureValue(1, _ABANDONED) if gone else _NO_REGULAR_LOST
    return MeasureValue(
        lost / (regulars + 1), f"{lost} of {count(regulars, 'regular user')} not seen for 14 days"
    )


@measure(
    "people.key_person",
    kpi="People lost",
    unit="usual gaps",
    window="since the last use, 90 days at most",
    sources=(USAGE,),
    needs="nothing: 0 without a habitual user",
    example=_FADING,
    reads=PAST | USERS,
)
def key_person(view: View) -> MeasureValue:
    """
    Return how long the most habitual user has been silent, in that user's own usual gaps.

    It is the user with the most days of use in the 32 days up to the last one, at least 6; the usual gap is
    32 over these days, and 3 days at least, because a weekend may lie between.
    """
    most = view.people.most_days
    if most < _HABITUAL_DAYS:
        gone = not view.people.seen and view.abandoned
        return MeasureValue(_MAX_VALUE, _ABANDONED) if gone else _NO_HABIT
    silent = max(0, view.today - view.people.most_last)
    usual = max(_SHORTEST_GAP, 32 / most)
    if silent <= usual:
        return MeasureValue(silent / usual, "The most regular user is active")
    value = min(silent / usual, _MAX_VALUE)
    return MeasureValue(
        value, f"The most regular user ({most} days of 32) not seen for {count(silent, 'day')}"
    )
