"""
The parts of Stripe's objects this service reads, and what they say about recurring revenue. Pure.

Both shapes are read: before API 2025-03-31 the period stood on the subscription and an invoice named its
subscription; since then the period stands on its items and an invoice names a parent.
Source: https://docs.stripe.com/changelog/basil
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any

import msgspec

__all__ = [
    "Charged",
    "Dispute",
    "Invoice",
    "Items",
    "Previous",
    "StripeEvent",
    "Subscription",
    "identifier",
    "monthly_minor",
    "seats",
]

Long = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]
Quantity = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Unset = msgspec.UnsetType
_UNSET: Any = msgspec.UNSET

_MONTHS = {"month": Fraction(1), "year": Fraction(12), "week": Fraction(12, 52), "day": Fraction(12, 365)}
"""Months in one interval."""


class Expanded(msgspec.Struct):
    """An object in the place of its id."""

    id: str


Ref = str | Expanded | None
Metadata = dict[str, Any] | None


class Data(msgspec.Struct):
    """What an event is about: the object and, of an update, what it was before."""

    object: msgspec.Raw
    previous_attributes: msgspec.Raw = msgspec.Raw(b"null")


class StripeEvent(msgspec.Struct):
    """A snapshot event. Source: https://docs.stripe.com/api/events/object."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    object: str
    type: str
    created: Seconds
    data: Data


class Recurring(msgspec.Struct):
    """How often a price is charged."""

    interval: str
    interval_count: Quantity = 1
    usage_type: str = "licensed"


class Price(msgspec.Struct):
    """A price; tiered ones have no unit amount."""

    id: str | None = None
    nickname: str | None = None
    lookup_key: str | None = None
    unit_amount: Long | None = None
    currency: str | None = None
    recurring: Recurring | None = None


class Item(msgspec.Struct):
    """One price of a subscription."""

    price: Price | None = None
    quantity: Quantity | None = None
    current_period_end: Seconds | None = None


class Items(msgspec.Struct):
    """A subscription's prices."""

    data: list[Item] = []


class Subscription(msgspec.Struct):
    """Source: https://docs.stripe.com/api/subscriptions/object."""

    id: str
    customer: Ref = None
    metadata: Metadata = None
    currency: str | None = None
    items: Items | None = None
    current_period_end: Seconds | None = None
    cancel_at_period_end: bool = False
    cancel_at: Seconds | None = None
    canceled_at: Seconds | None = None
    ended_at: Seconds | None = None


class Previous(msgspec.Struct):
    """What changed in a subscription, as it was before; unset: it did not change."""

    cancel_at_period_end: bool | Unset | None = _UNSET
    cancel_at: Seconds | Unset | None = _UNSET
    items: Items | Unset | None = _UNSET
    quantity: Quantity | Unset | None = _UNSET


class Details(msgspec.Struct):
    """The subscription behind an invoice."""

    metadata: Metadata = None
    subscription: Ref = None


class Parent(msgspec.Struct):
    """What an invoice was made for, since API 2025-03-31."""

    subscription_details: Details | None = None


class Invoice(msgspec.Struct):
    """Source: https://docs.stripe.com/api/invoices/object."""

    id: str | None = None
    customer: Ref = None
    metadata: Metadata = None
    subscription: Ref = None
    subscription_details: Details | None = None
    parent: Parent | None = None
    amount_due: Long | None = None
    amount_paid: Long | None = None
    currency: str | None = None
    due_date: Seconds | None = None


class Charged(msgspec.Struct):
    """A charge in the place of its id, which then names the customer."""

    id: str
    customer: Ref = None
    metadata: Metadata = None


class Dispute(msgspec.Struct):
    """Source: https://docs.stripe.com/api/disputes/object."""

    id: str
    charge: str | Charged | None = None
    metadata: Metadata = None
    amount: Long | None = None
    currency: str | None = None


def identifier(ref: str | Expanded | Charged | None) -> str | None:
    """Return the id of an object that may be expanded."""
    return ref if ref is None or isinstance(ref, str) else ref.id


def monthly_minor(items: Items | None) -> int | None:
    """
    Return the monthly recurring revenue of these prices in minor units, before discounts and taxes.

    Metered prices count nothing; ``None`` where a price says too little (tiers, decimals).
    """
    if items is None:
        return None
    total = Fraction(0)
    for item in items.data:
        price = item.price
        if price is None or price.recurring is None:
            return None
        if price.recurring.usage_type == "metered":
            continue
        months = _MONTHS.get(price.recurring.interval)
        if price.unit_amount is None or months is None or not price.recurring.interval_count:
            return None
        quantity = 1 if item.quantity is None else item.quantity
        total += Fraction(price.unit_amount * quantity) / (months * price.recurring.interval_count)
    minor = round(total)
    return minor if abs(minor) < 2**63 else None


def seats(items: Items | None) -> int | None:
    """Return how many seats these prices count together, or ``None`` where none has a quantity."""
    counted = [item.quantity for item in items.data if item.quantity is not None] if items else []
    return min(sum(counted), 2**31 - 1) if counted else None
