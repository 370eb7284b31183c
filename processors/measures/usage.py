"""Measures of how often, how widely and how deeply the product is used."""

from __future__ import annotations

from processors.measures.definition import BILLING, ENGAGEMENT, PROFILES, USAGE, MeasureValue, measure
from processors.measures.example import ago
from processors.measures.formats import count
from processors.state.account import RING_DAYS
from processors.state.usage_parts import FEATURES, USERS
from processors.view import View
from processors.view.queries import days_silent
from schemas.records import AccountProfile, UsageEvent

__all__ = ["breadth", "depth", "frequency", "key_action", "silence", "unused"]

_UNSEEN = "No product usage seen yet"
_FREQUENCIES = [MeasureValue(days, f"In the product on {days} of the last 7 days") for days in range(8)]
_USED_TODAY = MeasureValue(0, "Used the product within a day")
_TWO_FEATURES = (
    ago((1, 8), UsageEvent, name="Report Viewed", feature="reports"),
    ago(12, UsageEvent, name="File Exported", feature="export"),
)


@measure(
    "usage.frequency",
    kpi="Usage frequency",
    unit="days of 7",
    window="7 days",
    sources=(USAGE,),
    needs="any usage event",
    example=(ago((0, 1, 2, 5), UsageEvent, name="Report Viewed"),),
)
def frequency(view: View) -> MeasureValue:
    """Return the number of days with usage among the last 7, today included."""
    if view.usage.last_at is None:
        return MeasureValue(None, _UNSEEN)
    return _FREQUENCIES[7 - view.events[:7].count(0)]


@measure(
    "usage.breadth",
    kpi="Usage breadth",
    unit="ratio",
    window="28 days",
    sources=(USAGE, BILLING, PROFILES),
    needs="usage, and seats from a subscription or the profile",
    example=(
        ago(60, AccountProfile, seats=5),
        *(ago(3, UsageEvent, name="Report Viewed", user_id=user) for user in ("ann", "ben", "cleo")),
    ),
    reads=USERS,
)
def breadth(view: View) -> MeasureValue:
    """Return the share of the seats bought whose users were active in 28 days."""
    if view.usage.last_at is None:
        return MeasureValue(None, _UNSEEN)
    seats = view.seats
    if not seats:
        return MeasureValue(None, "The number of seats is not known")
    active = view.active_users(28)
    share = min(1.0, active / seats)
    return MeasureValue(share, f"{active} of {count(seats, 'seat')} active in 28 days ({share:.0%})")


@measure(
    "usage.depth",
    kpi="Usage depth",
    unit="features",
    window="28 days",
    sources=(USAGE,),
    needs="any usage event",
    example=_TWO_FEATURES,
    reads=FEATURES,
)
def depth(view: View) -> MeasureValue:
    """Return the number of different features used in 28 days."""
    if view.usage.last_at is None:
        return MeasureValue(None, _UNSEEN)
    used = _features_used(view)
    return MeasureValue(used, f"{count(used, 'feature')} used in 28 days")


@measure(
    "usage.unused",
    kpi="Unused features",
    unit="ratio",
    window="28 days",
    sources=(USAGE, PROFILES),
    needs="a feature used in 90 days, or the profile's number of features",
    example=(*_TWO_FEATURES, ago(60, AccountProfile, features=8)),
    reads=FEATURES,
)
def unused(view: View) -> MeasureValue:
    """
    Return the share of the features that were not used in 28 days.

    The features are those that the profile says the plan includes or, where more were seen, those used in 90
    days.
    """
    known = max(len(view.usage.features), view.state.amount("features") or 0)
    if not known:
        return MeasureValue(None, "No feature known")
    idle = known - _features_used(view)
    return MeasureValue(idle / known, f"{idle} of {count(known, 'feature')} not used in 28 days")


@measure(
    "usage.silence",
    kpi="Usage frequency",
    unit="days",
    window="since the last usage",
    sources=(USAGE,),
    needs="any usage event",
    example=(ago(6, UsageEvent, name="Report Viewed"),),
)
def silence(view: View) -> MeasureValue:
    """Return the whole days since the last usage."""
    days = days_silent(view.usage, view.now)
    if days is None:
        return MeasureValue(None, _UNSEEN)
    if days == 0:
        return _USED_TODAY
    return MeasureValue(days, f"No usage for {count(days, 'day')}")


@measure(
    "usage.key_action",
    kpi="Days since the last key action",
    unit="days",
    window="since the last one, 90 days at most",
    sources=(USAGE, ENGAGEMENT, PROFILES),
    needs="a key feature in the profile, or an event key_action",
    example=(*_TWO_FEATURES, ago(60, AccountProfile, key_feature="export")),
    reads=FEATURES,
)
def key_action(view: View) -> MeasureValue:
    """
    Return the days since the last key action, which shows that the customer gets what it pays for.

    A key action is a use of the feature that the profile names, or an event ``key_action``.
    """
    feature, last = view.state.fact("key_feature"), view.state.engagement.get("key_action")
    if feature is None and last is None:
        return MeasureValue(None, "No key action known")
    day = None if feature is None else view.usage.features.get(feature)
    ages = [] if day is None else [max(0, view.today - day)]
    ages += [] if last is None else [view.age(last)]
    age = min(ages, default=RING_DAYS)
    if age >= RING_DAYS:
        return MeasureValue(RING_DAYS, f"No key action in {RING_DAYS} days")
    return MeasureValue(age, "Key action today" if not age else f"Last key action {count(age, 'day')} ago")


def _features_used(view: View) -> int:
    since = view.today - 28
    return sum(1 for day in view.usage.features.values() if day > since)
