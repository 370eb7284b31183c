"""Seats: how many are used for the age of the contract, and how many are left to sell into."""

from __future__ import annotations

from processors.measures.measured import BILLING, PROFILES, USAGE, USERS, MeasureValue, measure
from processors.measures.view import View
from processors.measures.wording import count

__all__ = ["adoption", "headroom"]

_SOURCES = (USAGE, BILLING, PROFILES)
_EARLY = (0.5, 6.0)
_LATE = 0.75


@measure(
    "seats.adoption",
    unit="ratio of expected",
    window="28 days",
    sources=_SOURCES,
    needs="usage, seats, and the start of the first subscription",
    reads=USERS,
)
def adoption(view: View) -> MeasureValue:
    """
    Return the share of the seats in use over the share expected at the age of the contract.

    Expected is half of them until 6 months, growing to that in the first two, and three quarters after:
    where GitLab's grid of licence use by contract age turns green (handbook.gitlab.com, use case adoption).
    """
    seats, months = view.seats, view.months
    if not seats or months is None or view.state.usage.last_at is None:
        return MeasureValue(None, "Usage, seats or the start of the contract are not known")
    share, until = _EARLY
    expected = share * min(1.0, max(months, 0.5) / 2) if months < until else _LATE
    active = view.active_users(28)
    return MeasureValue(
        min(active / seats / expected, 9.99),
        f"{active} of {seats} seats in use after {count(round(months), 'month')}; "
        f"{expected:.0%} would be expected",
    )


@measure(
    "seats.headroom",
    unit="ratio",
    window="the last 14 days and the 14 before",
    sources=_SOURCES,
    needs="usage and seats",
    reads=USERS,
)
def headroom(view: View) -> MeasureValue:
    """
    Return the share of the seats that was left free in both of the last two fortnights.

    Little of it for that long says that the account may need more; below zero more people than seats came.
    """
    seats = view.seats
    if not seats or view.state.usage.last_at is None:
        return MeasureValue(None, "Usage or the number of seats is not known")
    lasting = min(view.active_users(14), view.active_before(14))
    free = max(-1.0, 1 - lasting / seats)
    return MeasureValue(
        free, f"At least {lasting} of {seats} seats in use in each of the last two fortnights"
    )
