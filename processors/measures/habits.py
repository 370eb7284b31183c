"""Measures of how people use the product: logins, sessions, and how many of a month's users come on a day."""

from __future__ import annotations

from processors.measures.definition import USAGE, MeasureValue, measure
from processors.measures.example import ago
from processors.measures.formats import count
from processors.state.usage_parts import USERS
from processors.view import View
from schemas.records import UsageEvent
from schemas.times import MINUTE

__all__ = ["logins", "session", "stickiness"]

_NOBODY = MeasureValue(None, "Nobody was active in 28 days")
_EXAMPLE = (
    ago((0, 1, 2, 9), UsageEvent, name="Report Viewed", user_id="ann", duration_ms=12 * MINUTE),
    ago(20, UsageEvent, name="Report Viewed", user_id="ben", duration_ms=5 * MINUTE),
)


@measure(
    "usage.logins",
    kpi="Logins",
    unit="logins a week and user",
    window="7 days; users of 28",
    sources=(USAGE,),
    needs="usage by a named user in 28 days",
    example=_EXAMPLE,
    reads=USERS,
)
def logins(view: View) -> MeasureValue:
    """Return the logins a week of a user active in 28 days; a login is a user's first use on a UTC day."""
    users = view.active_users(28)
    if not users:
        return _NOBODY
    made = view.user_days(7)
    return MeasureValue(
        made / users, f"{count(made, 'login')} of {count(users, 'user')} in 7 days ({made / users:.1f} each)"
    )


@measure(
    "usage.session",
    kpi="Session length",
    unit="minutes",
    window="28 days",
    sources=(USAGE,),
    needs="usage with durations by a named user",
    example=_EXAMPLE,
)
def session(view: View) -> MeasureValue:
    """Return the mean minutes for which a user is busy with the product on a day of use."""
    days = view.user_days(28)
    spent = view.month.duration_ms
    if not days:
        return _NOBODY
    if not spent:
        return MeasureValue(None, "Events carry no durations")
    minutes = spent / days / MINUTE
    return MeasureValue(minutes, f"{minutes:.1f} minutes a user and day of use")


@measure(
    "usage.stickiness",
    kpi="DAU/MAU",
    unit="ratio",
    window="28 days",
    sources=(USAGE,),
    needs="usage by a named user in 28 days",
    example=_EXAMPLE,
    reads=USERS,
)
def stickiness(view: View) -> MeasureValue:
    """Return the mean of daily active users over the monthly active users (DAU/MAU), both of 28 days."""
    monthly = view.active_users(28)
    if not monthly:
        return _NOBODY
    share = view.user_days(28) / 28 / monthly
    return MeasureValue(share, f"{share:.0%} of {count(monthly, 'monthly user')} come on a mean day")
