"""
The parts of Stripe's objects that are read. Pure.

Two shapes of the API are read. Before version 2025-03-31 a subscription had the billing period, and an
invoice named its subscription; since then a subscription's items have the period, and an invoice names a
parent.
Source: https://docs.stripe.com/changelog/basil
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

__all__ = [
    "Charge",
    "Discount",
    "Dispute",
    "Invoice",
    "PreviousAttributes",
    "Price",
    "StripeCustomer",
    "StripeEvent",
    "Subscription",
    "SubscriptionItem",
    "SubscriptionItems",
    "identifier",
    "milliseconds",
]

Long = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]
Quantity = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
AmountDecimal = Annotated[str, msgspec.Meta(pattern=r"^-?\d{1,18}(\.\d{1,12})?$")] | None
"""An amount with at most 12 decimal places, as text."""

Metadata = dict[str, Any] | None
Unset = msgspec.UnsetType
_UNSET: Any = msgspec.UNSET


class ExpandedObject(msgspec.Struct):
    """An object that Stripe sends in place of its id when the endpoint expands it."""

    id: str
    metadata: Metadata = None


Reference = str | ExpandedObject | None


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
    livemode: bool | None = None


class Recurring(msgspec.Struct):
    """The interval at which a price is charged."""

    interval: str
    interval_count: Quantity | None = None
    usage_type: str | None = None


class QuantityTransform(msgspec.Struct):
    """The division of a quantity before it is priced, as where a price is for a package of units."""

    divide_by: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    round: str


class CurrencyOption(msgspec.Struct):
    """A price, or what a coupon takes off, in another currency than its own."""

    unit_amount: Long | None = None
    unit_amount_decimal: AmountDecimal = None
    amount_off: Long | None = None


class Price(msgspec.Struct):
    """
    A price. Source: https://docs.stripe.com/api/prices/object.

    Its unit amount is a decimal where it is not whole. A tiered price has none.
    """

    id: str | None = None
    nickname: str | None = None
    lookup_key: str | None = None
    billing_scheme: str | None = None
    unit_amount: Long | None = None
    unit_amount_decimal: AmountDecimal = None
    currency: str | None = None
    currency_options: dict[str, CurrencyOption] | None = None
    recurring: Recurring | None = None
    transform_quantity: QuantityTransform | None = None


class StripePlan(msgspec.Struct):
    """A plan, as the API called a price before 2020. Source: https://docs.stripe.com/api/plans/object."""

    id: str | None = None
    nickname: str | None = None
    billing_scheme: str | None = None
    amount: Long | None = None
    amount_decimal: AmountDecimal = None
    currency: str | None = None
    interval: str | None = None
    interval_count: Quantity | None = None
    usage_type: str | None = None
    transform_usage: QuantityTransform | None = None

    def as_price(self) -> Price:
        """Return the price that says the same."""
        recurring = None
        if self.interval is not None:
            recurring = Recurring(self.interval, self.interval_count, self.usage_type)
        return Price(
            id=self.id,
            nickname=self.nickname,
            billing_scheme=self.billing_scheme,
            unit_amount=self.amount,
            unit_amount_decimal=self.amount_decimal,
            currency=self.currency,
            recurring=recurring,
            transform_quantity=self.transform_usage,
        )


class Coupon(msgspec.Struct):
    """A reduction of a price; one of the duration ``once`` is no part of what recurs."""

    percent_off: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None
    amount_off: Long | None = None
    currency: str | None = None
    currency_options: dict[str, CurrencyOption] | None = None
    duration: str | None = None


class DiscountSource(msgspec.Struct):
    """The origin of a discount, since API version 2025-09-30."""

    coupon: str | Coupon | None = None


class Discount(msgspec.Struct):
    """A discount of a subscription or of one of its items, which Stripe names by its id unless expanded."""

    id: str | None = None
    coupon: str | Coupon | None = None
    source: DiscountSource | None = None


Discounts = list[str | Discount] | None


class SubscriptionItem(msgspec.Struct):
    """One price of a subscription, with its quantity."""

    price: Price | None = None
    plan: StripePlan | None = None
    quantity: Quantity | None = None
    current_period_end: Seconds | None = None
    discounts: Discounts = None

    def __post_init__(self) -> None:
        if self.price is None and self.plan is not None:
            self.price = self.plan.as_price()


class SubscriptionItems(msgspec.Struct):
    """The items of a subscription; with ``has_more`` not all of them."""

    data: list[SubscriptionItem] = []
    has_more: bool | None = None


class PauseCollection(msgspec.Struct):
    """The pause of a subscription's payments; its status stays as it is."""

    behavior: str | None = None


class Subscription(msgspec.Struct):
    """A subscription. Source: https://docs.stripe.com/api/subscriptions/object."""

    id: str
    customer: Reference = None
    metadata: Metadata = None
    status: str | None = None
    pause_collection: PauseCollection | None = None
    currency: str | None = None
    items: SubscriptionItems | None = None
    discount: Discount | None = None
    discounts: Discounts = None
    current_period_end: Seconds | None = None
    cancel_at_period_end: bool | None = False
    cancel_at: Seconds | None = None
    canceled_at: Seconds | None = None
    ended_at: Seconds | None = None


class PreviousAttributes(msgspec.Struct):
    """The changed attributes of a subscription before the change; an unset one did not change."""

    status: str | Unset | None = _UNSET
    pause_collection: PauseCollection | Unset | None = _UNSET
    currency: str | Unset | None = _UNSET
    items: SubscriptionItems | Unset | None = _UNSET
    discount: Discount | Unset | None = _UNSET
    discounts: list[str | Discount] | Unset | None = _UNSET
    current_period_end: Seconds | Unset | None = _UNSET
    cancel_at_period_end: bool | Unset | None = _UNSET
    cancel_at: Seconds | Unset | None = _UNSET
    ended_at: Seconds | Unset | None = _UNSET
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
    status: str | None = None
    attempt_count: Quantity | None = None
    amount_due: Long | None = None
    amount_paid: Long | None = None
    currency: str | None = None
    due_date: Seconds | None = None


class Charge(msgspec.Struct):
    """An expanded charge or payment intent; unlike its id, it names the customer."""

    id: str
    customer: Reference = None
    metadata: Metadata = None


class Dispute(msgspec.Struct):
    """A dispute. Source: https://docs.stripe.com/api/disputes/object."""

    id: str
    charge: str | Charge | None = None
    payment_intent: str | Charge | None = None
    metadata: Metadata = None
    status: str | None = None
    amount: Long | None = None
    currency: str | None = None


class StripeCustomer(msgspec.Struct):
    """A customer. Source: https://docs.stripe.com/api/customers/object."""

    id: str
    metadata: Metadata = None


def identifier(reference: str | ExpandedObject | Charge | None) -> str | None:
    """Return the id of an object that may be expanded."""
    return reference if reference is None or isinstance(reference, str) else reference.id


def milliseconds(at: int | None) -> int | None:
    """Return a time of Stripe, in seconds, in milliseconds."""
    return None if at is None else at * 1000
