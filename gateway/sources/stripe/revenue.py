"""The recurring revenue and the seats of a Stripe subscription. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from gateway.sources.stripe.amounts import currency_code, iso_minor
from gateway.sources.stripe.objects import (
    Coupon,
    CurrencyOption,
    Discount,
    Price,
    Subscription,
    SubscriptionItem,
    SubscriptionItems,
)

__all__ = ["currency", "monthly_minor", "seats"]

_MONTHS = {"month": Fraction(1), "year": Fraction(12), "week": Fraction(12, 52), "day": Fraction(12, 365)}
"""Months in one billing interval."""


def currency(subscription: Subscription) -> str | None:
    """Return the currency of a subscription, upper case."""
    items = subscription.items
    price = items.data[0].price if items and items.data else None
    return currency_code(subscription.currency or (price.currency if price else None))


def monthly_minor(subscription: Subscription) -> int | None:
    """
    Return the monthly recurring revenue of a subscription in minor units, before taxes.

    Discounts that recur are taken off where the subscription carries them whole; one that it only names is
    not known. Metered prices count as zero. ``None`` where a price does not say enough, as with tiers.
    """
    items, code = subscription.items, currency(subscription)
    if items is None or items.has_more:
        return None
    total, shortest = Fraction(0), Fraction(0)
    for item in items.data:
        price = item.price
        months = None if price is None else _months(price)
        if price is None or months is None or price.recurring is None:
            return None
        if price.recurring.usage_type == "metered":
            continue
        each = _unit_amount(price, code)
        if each is None:
            return None
        total += _discounted(each * _units(price, item), months, item.discounts or (), code)
        shortest = min(shortest or months, months)
    return iso_minor(_discounted(total, shortest, _discounts(subscription), code, monthly=True), code)


def _discounts(subscription: Subscription) -> list[str | Discount]:
    """Return the discounts; the one that is also there whole stands for the others where those are named."""
    several, whole = subscription.discounts or [], subscription.discount
    if whole is None or any(isinstance(each, Discount) for each in several):
        return several
    return [whole]


def _months(price: Price) -> Fraction | None:
    """Return the months for which a price is charged at once."""
    if price.recurring is None:
        return None
    count = price.recurring.interval_count
    months = _MONTHS.get(price.recurring.interval, Fraction(0)) * (1 if count is None else count)
    return months or None


def _unit_amount(price: Price, code: str | None) -> Fraction | None:
    """Return what a unit costs in a currency; ``None`` where the price does not say it in this one."""
    if price.billing_scheme not in ("per_unit", None):
        return None
    said: Price | CurrencyOption | None = price
    if code is not None and currency_code(price.currency) not in (code, None):
        said = (price.currency_options or {}).get(code.lower())
    if said is None:
        return None
    amount = said.unit_amount if said.unit_amount_decimal is None else said.unit_amount_decimal
    return None if amount is None else Fraction(amount)


def _amount_off(coupon: Coupon, code: str | None) -> int | None:
    """Return what a coupon takes off in a currency; ``None`` where it does not say it in this one."""
    if code is None or currency_code(coupon.currency) in (code, None):
        return coupon.amount_off
    option = (coupon.currency_options or {}).get(code.lower())
    return None if option is None else option.amount_off


def _units(price: Price, item: SubscriptionItem) -> int:
    """Return the units of an item that are paid for."""
    quantity, packages = 1 if item.quantity is None else item.quantity, price.transform_quantity
    if packages is None:
        return quantity
    whole, rest = divmod(quantity, packages.divide_by)
    return whole + 1 if rest and packages.round == "up" else whole


def _discounted(
    amount: Fraction,
    months: Fraction,
    discounts: Iterable[str | Discount],
    code: str | None,
    *,
    monthly: bool = False,
) -> Fraction:
    """Return what a month costs of an amount that is charged for some months (or already monthly)."""
    each = amount if monthly or not months else amount / months
    for discount in discounts:
        if isinstance(discount, str):
            continue
        coupon = discount.coupon or (discount.source.coupon if discount.source else None)
        if coupon is None or isinstance(coupon, str) or coupon.duration == "once":
            continue
        if coupon.percent_off is not None:
            each -= each * Fraction(str(coupon.percent_off)) / 100
        off = _amount_off(coupon, code)
        if off is not None and months:
            each -= Fraction(off) / months
    return max(each, Fraction(0))


def seats(items: SubscriptionItems | None) -> int | None:
    """Return the sum of the items' quantities, or ``None`` where no item has a quantity."""
    quantities = [item.quantity for item in items.data if item.quantity is not None] if items else []
    return min(sum(quantities), 2**31 - 1) if quantities else None
