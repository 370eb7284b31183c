"""Measures of seats: how many are used for the age of the contract, and how many are left to sell into."""

from __future__ import annotations

from processors.measures.definition import BILLING, PROFILES, USAGE, MeasureValue, measure
from processors.measures.example import ago
from processors.measures.formats import count
from processors.state.usage_parts import USERS
from processors.view import View
from schemas.records import BillingEvent, UsageEvent

__all__ = ["adoption", "headroom", "idle"]

_SOURCES = (USAGE, BILLING, PROFILES)
_EARLY_SHARE, _EARLY_MONTHS = 0.5, 6.0
_LATE_SHARE = 0.75
_EXAMPLE = (
    ago(92, BillingEvent, kind="subscription_started", subscription_id="s-1", seats=10),
    *(ago((2, 16), UsageEvent, name="Report Viewed", user_id=user) for user in ("ann", "ben", "cleo")),
    ago(5, UsageEvent, name="Report Viewed", user_id="dan"),
)


@measure(
    "seats.adoption",
    kpi="Seat utilisation by tenure",
    unit="ratio of expected",
    window="28 days",
    sources=_SOURCES,
    needs="usage, seats, and the start of the first subscription",
    example=_EXAMPLE,
    reads=USERS,
)
def adoption(view: View) -> MeasureValue:
    """
    Return the share of the seats in use, divided by the share expected at the age of the contract.

    Half of the seats are expected in the first 6 months (less in the first two, in proportion), then three
    quarters: where GitLab's grid of licence use by contract age turns green (handbook.gitlab.com, use case
    adoption).
    """
    seats, months = view.seats, view.months
    if not seats or months is None or view.usage.last_at is None:
        return MeasureValue(None, "Usage, seats or the start of the contract are not known")
    early = months < _EARLY_MONTHS
    expected = _EARLY_SHARE * min(1.0, max(months, 0.5) / 2) if early else _LATE_SHARE
    active = view.active_users(28)
    return MeasureValue(
        min(active / seats / expected, 9.99),
        f"{active} of {count(seats, 'seat')} in use after {count(round(months), 'month')}; "
        f"{expected:.0%} would be expected",
    )


@measure(
    "seats.idle",
    kpi="Seat utilisation by tenure",
    unit="ratio",
    window="28 complete days",
    sources=_SOURCES,
    needs="nothing: 0 without usage or seats",
    example=_EXAMPLE,
    reads=USERS,
)
def idle(view: View) -> MeasureValue:
    """
    Return the share of the seats' working days in 28 complete days on which nobody used the product.

    A seat has 20 working days. Days of use of people for whom no seat was bought count as well.
    """
    seats = view.seats
    if not seats or view.usage.last_at is None:
        return MeasureValue(0, "Usage or the number of seats is not known")
    days = view.people.month_days
    share = max(0.0, 1 - days / (20 * seats))
    return MeasureValue(share, f"{count(days, 'day')} of use for {count(seats, 'seat')} in 28 days")


@measure(
    "seats.headroom",
    kpi="Expansion headroom",
    unit="ratio",
    window="the last 14 days and the 14 before",
    sources=_SOURCES,
    needs="usage and seats",
    example=_EXAMPLE,
    reads=USERS,
)
def headroom(view: View) -> MeasureValue:
    """
    Return the share of the seats that was free in both of the last two fortnights.

    A small share says that the account may need more seats; a negative one that more people than seats came.
    """
    seats = view.seats
    if not seats or view.usage.last_at is None:
        return MeasureValue(None, "Usage or the number of seats is not known")
    lasting = min(view.active_users(14), view.active_before(14))
    free = max(-1.0, 1 - lasting / seats)
    return MeasureValue(
        free, f"At least {lasting} of {count(seats, 'seat')} in use in each of the last two fortnights"
    )
