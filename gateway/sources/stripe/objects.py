"""
The parts of Stripe's objects that are read, and the recurring revenue of a subscription's items. Pure.

Two shapes of the API are read. Before version 2025-03-31 a subscription had the billing period, and an
invoice named its subscription; since then a subscription's items have the period, and an invoice names a
parent.
Source: https://docs.stripe.com/changelog/basil
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any

import msgspec

__all__ = [
    "Charge",
    "Dispute",
    "Invoice",
    "PreviousAttributes",
    "StripeEvent",
    "Subscription",
    "SubscriptionItems",
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
"""Months in one billing interval."""


class ExpandedObject(msgspec.Struct):
    """An object that Stripe sends in place of its id when the endpoint expands it."""

    id: str


Reference = str | ExpandedObject | None
Metadata = dict[str, Any] | None


class EventData(msgspec.Struct):
    """The object of an event and, for an update, its attributes before the change."""

    object: msgspec.Raw
    previous_attributes: msgspec.Raw = msgspec.Raw(b"null")


class StripeEvent(msgspec.Struct):
    """A snapshot event. Source: https://docs.stripe.com/api/events/object."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    object: str
    type: str
    created: Seconds
    data: EventData


class Recurring(msgspec.Struct):
    """The interval at which a price is charged."""

    interval: str
    interval_count: Quantity = 1
    usage_type: str = "licensed"


class Price(msgspec.Struct):
    """A price; a tiered price has no unit amount."""

    id: str | None = None
    nickname: str | None = None
    lookup_key: str | None = None
    unit_amount: Long | None = None
    currency: str | None = None
    recurring: Recurring | None = None


class SubscriptionItem(msgspec.Struct):
    """One price of a subscription, with its quantity."""

    price: Price | None = None
    quantity: Quantity | None = None
    current_period_end: Seconds | None = None


class SubscriptionItems(msgspec.Struct):
    """The items of a subscription."""

    data: list[SubscriptionItem] = []


class Subscription(msgspec.Struct):
    """A subscription. Source: https://docs.stripe.com/api/subscriptions/object."""

    id: str
    customer: Reference = None
    metadata: Metadata = None
    currency: str | None = None
    items: SubscriptionItems | None = None
    current_period_end: Seconds | None = None
    cancel_at_period_end: bool = False
    cancel_at: Seconds | None = None
    canceled_at: Seconds | None = None
    ended_at: Seconds | None = None


class PreviousAttributes(msgspec.Struct):
    """The changed attributes of a subscription before the change; an unset one did not change."""

    cancel_at_period_end: bool | Unset | None = _UNSET
    cancel_at: Seconds | Unset | None = _UNSET
    items: SubscriptionItems | Unset | None = _UNSET
    quantity: Quantity | Unset | None = _UNSET


class SubscriptionDetails(msgspec.Struct):
    """The part of an invoice about its subscription."""

    metadata: Metadata = None
    subscription: Reference = None


class InvoiceParent(msgspec.Struct):
    """The origin of an invoice, since API version 2025-03-31."""

    subscription_details: SubscriptionDetails | None = None


class Invoice(msgspec.Struct):
    """An invoice. Source: https://docs.stripe.com/api/invoices/object."""

    id: str | None = None
    customer: Reference = None
    metadata: Metadata = None
    subscription: Reference = None
    subscription_details: SubscriptionDetails | None = None
    parent: InvoiceParent | None = None
    amount_due: Long | None = None
    amount_paid: Long | None = None
    currency: str | None = None
    due_date: Seconds | None = None


class Charge(msgspec.Struct):
    """An expanded charge; unlike its id, it names the customer."""

    id: str
    customer: Reference = None
    metadata: Metadata = None


class Dispute(msgspec.Struct):
    """A dispute. Source: https://docs.stripe.com/api/disputes/object."""

    id: str
    charge: str | Charge | None = None
    metadata: Metadata = None
    amount: Long | None = None
    currency: str | None = None


def identifier(reference: str | ExpandedObject | Charge | None) -> str | None:
    """Return the id of an object that may be expanded."""
    return reference if reference is None or isinstance(reference, str) else reference.id


def monthly_minor(items: SubscriptionItems | None) -> int | None:
    """
    Return the monthly recurring revenue of these items in minor units, before discounts and taxes.

    Metered prices count as zero. ``None`` where a price does not say enough, as with tiers or decimals.
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


def seats(items: SubscriptionItems | None) -> int | None:
    """Return the sum of the items' quantities, or ``None`` where no item has a quantity."""
    quantities = [item.quantity for item in items.data if item.quantity is not None] if items else []
    return min(sum(quantities), 2**31 - 1) if quantities else None
