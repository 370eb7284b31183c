"""Measures of what the account is worth: recurring revenue, its retention, and its lifetime value."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from processors.measures.definition import BILLING, PROFILES, USAGE, MeasureValue, measure
from processors.measures.example import ago
from processors.measures.formats import count, money
from processors.state.account import Subscription
from processors.state.parts import SNAPSHOT, Stamp
from processors.state.usage_parts import USERS
from processors.view.queries import ended_at
from processors.view.view import MONTH, View
from schemas.records import BillingEvent, UsageEvent
from schemas.times import DAY

__all__ = [
    "arpu",
    "before",
    "gross_retention",
    "lifetime_value",
    "mrr",
    "net_retention",
    "price_rise",
    "reduction",
    "tenure",
]

_YEAR = 365
_PRICE_DAYS = 120
_MONTHLY_CHURN = 0.035
"""Monthly churn of business subscriptions, voluntary and not (Recurly 2025, by retentionlens.com)."""

_UNKNOWN = "No recurring revenue known"
_NO_PRICE = "No price known from a month ago"
_TWO_PRICES = (
    ago(
        410,
        BillingEvent,
        kind="subscription_started",
        subscription_id="s-1",
        mrr_minor=90_000,
        currency="EUR",
    ),
    ago(
        200,
        BillingEvent,
        kind="subscription_updated",
        subscription_id="s-1",
        mrr_minor=60_000,
        currency="EUR",
    ),
    ago(
        100,
        BillingEvent,
        kind="subscription_started",
        subscription_id="s-2",
        mrr_minor=45_000,
        currency="EUR",
    ),
)


@measure(
    "revenue.mrr",
    kpi="MRR",
    unit="minor units a month",
    window="now",
    sources=(BILLING, PROFILES),
    needs="a subscription with a price in one currency, or annual revenue in the profile",
    example=_TWO_PRICES,
)
def mrr(view: View) -> MeasureValue:
    """Return the monthly recurring revenue."""
    known = view.revenue
    if known is None:
        return MeasureValue(None, _UNKNOWN)
    return MeasureValue(known[0], f"{money(*known)} a month")


@measure(
    "revenue.arpu",
    kpi="ARPU",
    unit="minor units a month and user",
    window="now; users of 28 days",
    sources=(BILLING, PROFILES, USAGE),
    needs="recurring revenue, and a named user in 28 days",
    example=(
        *_TWO_PRICES,
        *(ago(3, UsageEvent, name="Report Viewed", user_id=user) for user in ("ann", "ben", "cleo")),
    ),
    reads=USERS,
)
def arpu(view: View) -> MeasureValue:
    """Return the monthly recurring revenue for each user active in 28 days."""
    known, users = view.revenue, view.active_users(28)
    if known is None or not users:
        return MeasureValue(None, _UNKNOWN if known is None else "Nobody was active in 28 days")
    each = known[0] / users
    return MeasureValue(each, f"{money(each, known[1])} a month for each of {count(users, 'user')}")


@measure(
    "revenue.price_rise",
    kpi="Price rise",
    unit="change",
    window="120 days",
    sources=(BILLING,),
    needs="nothing: 0 without a price of before",
    example=(
        ago(
            200, BillingEvent, kind="subscription_started", subscription_id="s-1", seats=10, mrr_minor=90_000
        ),
        ago(20, BillingEvent, kind="subscription_updated", subscription_id="s-1", mrr_minor=108_000),
    ),
)
def price_rise(view: View) -> MeasureValue:
    """
    Return the largest rise of a subscription's price of a seat over 120 days, as a share.

    Where the seats are not known it is the rise of the price.
    """
    day = view.today - _PRICE_DAYS
    rise = 0.0
    for each in view.state.billing.subscriptions.values():
        before = _step_on(each.mrr_days, day)
        if each.status == "canceled" or not before or not each.mrr_minor:
            continue
        seats = _step_on(each.seats_days, day)
        more = each.seats / seats if seats and each.seats else 1.0
        rise = max(rise, each.mrr_minor / before / more - 1)
    if not rise:
        return MeasureValue(0, f"No price rise in {_PRICE_DAYS} days")
    return MeasureValue(min(rise, 9.99), f"The price rose by {rise:.0%} within {_PRICE_DAYS} days")


@measure(
    "revenue.reduction",
    kpi="Churn, cancel and downgrade signals",
    unit="share",
    window="90 days",
    sources=(BILLING,),
    needs="nothing: 0 without a downgrade",
    example=_TWO_PRICES,
)
def reduction(view: View) -> MeasureValue:
    """Return the largest share of its price that a subscription lost by a downgrade in 90 days."""
    cuts = [
        1 - each.downgrade_ratio
        for each in view.state.billing.subscriptions.values()
        if each.status != "canceled" and each.downgraded_at[0] >= 0 and view.age(each.downgraded_at[0]) < 90
    ]
    if not cuts:
        return MeasureValue(0, "No downgrade in 90 days")
    return MeasureValue(max(cuts), f"Downgraded by {max(cuts):.0%} within 90 days")


def _step_on(steps: Mapping[int, tuple[Stamp, int | None]], day: int) -> int | None:
    """Return what held at the end of a UTC day, or the first that is known after it."""
    value: int | None = None
    for at, step in steps.items():
        if at > day and value is not None:
            break
        value = step[1]
        if at > day:
            break
    return value


@measure(
    "revenue.tenure",
    kpi="Seat utilisation by tenure",
    unit="months",
    window="since the start",
    sources=(BILLING, PROFILES),
    needs="the start of a subscription, or started_at in the profile",
    example=_TWO_PRICES,
)
def tenure(view: View) -> MeasureValue:
    """Return the months since the account became a customer."""
    months = view.months
    if months is None:
        return MeasureValue(None, "The start of the contract is not known")
    return MeasureValue(months, f"A customer for {count(round(months), 'month')}")


@measure(
    "revenue.net_retention",
    kpi="Net retention",
    unit="ratio",
    window="12 months, or since the start",
    sources=(BILLING,),
    needs="a price a month ago or earlier",
    example=_TWO_PRICES,
)
def net_retention(view: View) -> MeasureValue:
    """Return the recurring revenue as a share of that of 12 months ago: expansion counts."""
    return _retention(view, "Net")


@measure(
    "revenue.gross_retention",
    kpi="Gross retention",
    unit="ratio",
    window="12 months, or since the start",
    sources=(BILLING,),
    needs="a price a month ago or earlier",
    example=_TWO_PRICES,
)
def gross_retention(view: View) -> MeasureValue:
    """Return the share of the recurring revenue of 12 months ago that was kept: expansion doesn't count."""
    return _retention(view, "Gross")


@measure(
    "revenue.before",
    kpi="Gross retention",
    unit="minor units a month",
    window="12 months ago, or at the start",
    sources=(BILLING,),
    needs="a price a month ago or earlier",
    example=_TWO_PRICES,
)
def before(view: View) -> MeasureValue:
    """Return the recurring revenue of 12 months ago, of which retention is a share, to sum over accounts."""
    known = _prices(view)
    if known is None:
        return MeasureValue(None, _NO_PRICE)
    prices, days, currency = known
    then = sum(price for price, _ in prices)
    return MeasureValue(then, f"{money(then, currency)} a month {count(round(days / MONTH), 'month')} ago")


def _retention(view: View, kind: str) -> MeasureValue:
    known = _prices(view)
    if known is None:
        return MeasureValue(None, _NO_PRICE)
    prices, days, _ = known
    kept = sum(now if kind == "Net" else min(then, now) for then, now in prices)
    share = kept / sum(then for then, _ in prices)
    return MeasureValue(share, f"{kind} retention {share:.0%} in {count(round(days / MONTH), 'month')}")


def _prices(view: View) -> tuple[list[tuple[int, int]], int, str | None] | None:
    """
    Return each subscription's price then and now, how many days ago then was, and the currency.

    ``None``: a price is not known, or there was none a month ago.
    """
    subscriptions = list(view.state.billing.subscriptions.values())
    known = [day for each in subscriptions for day in _steps(each)]
    since = max(view.today - _YEAR, min(known, default=view.today))
    prices = []
    for each in subscriptions:
        then, now = _price(each, since), _price(each, view.today)
        if then is None or now is None:
            return None
        prices.append((then, now))
    currencies = {each.currency for each in subscriptions}
    if view.today - since < MONTH or not any(then for then, _ in prices) or len(currencies) > 1:
        return None
    return prices, view.today - since, currencies.pop()


@measure(
    "revenue.lifetime_value",
    kpi="CLV",
    unit="minor units",
    window="so far, and as expected",
    sources=(BILLING, PROFILES),
    needs="recurring revenue and its start",
    example=_TWO_PRICES,
)
def lifetime_value(view: View) -> MeasureValue:
    """
    Return the customer lifetime value (CLV): the recurring revenue so far, and what is still expected.

    A monthly churn of 3.5 % gives 28.6 months more. Margins are not known here, so this is revenue.
    """
    known, months = view.revenue, view.months
    if known is None or months is None:
        return MeasureValue(None, _UNKNOWN if known is None else "The start of the contract is not known")
    subscriptions = view.state.billing.subscriptions.values()
    priced = [each for each in subscriptions if _steps(each)]
    paid = [_paid(each, view.today) for each in priced]
    if any(each is None for each in paid):
        return MeasureValue(None, "Part of the recurring revenue so far is not known")
    so_far = sum(each or 0 for each in paid) if priced else known[0] * months
    value = so_far + known[0] / _MONTHLY_CHURN
    return MeasureValue(value, f"{money(so_far, known[1])} so far, {money(value, known[1])} expected in all")


def _steps(subscription: Subscription) -> dict[int, int | None]:
    """Return each price by the UTC day from which on it was valid; the last one is what is known now."""
    steps: dict[int, int | None] = {day: price for day, (_, price) in subscription.mrr_days.items()}
    said = subscription.terms_at.get("mrr_minor")
    if said is not None and (said[1] == SNAPSHOT or not steps):
        steps[said[0] // DAY] = subscription.revenue
    return dict(sorted(steps.items()))


def _ended(subscription: Subscription) -> int | None:
    end = ended_at(subscription)
    return None if end is None else end // DAY


def _price(subscription: Subscription, day: int) -> int | None:
    """Return the price on a UTC day; 0 before the first one known and after the end; ``None``: unknown."""
    end = _ended(subscription)
    if end is not None and day >= end:
        return 0
    return next((price for since, price in reversed(_steps(subscription).items()) if since <= day), 0)


def _paid(subscription: Subscription, today: int) -> float | None:
    """Return the price of every day until today, summed; ``None`` where one of them is unknown."""
    end = _ended(subscription)
    until = today if end is None else min(today, end)
    days = [*_steps(subscription).items(), (until, 0)]
    sums = [
        None if price is None else price * lasted
        for (since, price), (after, _) in pairwise(days)
        if (lasted := max(0, min(after, until) - since))
    ]
    return None if any(each is None for each in sums) else sum(each or 0 for each in sums) / MONTH
