"""What is read of Stripe's objects is what Stripe's own library, which is made from its API, says of them."""

from __future__ import annotations

import json
import re
import typing
from inspect import get_annotations
from pathlib import Path
from typing import Any

import msgspec
import pytest
import stripe

from gateway.sources.stripe import objects
from gateway.sources.stripe.disputes import DISPUTE_KINDS, DISPUTE_STATUSES
from gateway.sources.stripe.invoices import INVOICE_KINDS, INVOICE_STATUSES
from gateway.sources.stripe.subscriptions import SUBSCRIPTION_KINDS

PAGE = (Path(__file__).parents[3] / "docs/sources/stripe.md").read_text()
OLDER = {
    objects.Subscription: {"discount", "current_period_end"},
    objects.PreviousAttributes: {"discount", "current_period_end", "quantity"},
    objects.Invoice: {"subscription", "subscription_details"},
    objects.Discount: {"coupon"},
}
"""Fields that only older versions of the API have."""


def words(annotation: Any) -> set[str]:
    """Return the words of the literals in an annotation."""
    if typing.get_origin(annotation) is typing.Literal:
        return set(typing.get_args(annotation))
    return {word for part in typing.get_args(annotation) for word in words(part)}


def fields(kind: type) -> dict[str, Any]:
    return {name: field for base in reversed(kind.__mro__) for name, field in get_annotations(base).items()}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (objects.StripeEvent, stripe.Event),
        (objects.Subscription, stripe.Subscription),
        (objects.PreviousAttributes, stripe.Subscription),
        (objects.PauseCollection, stripe.Subscription.PauseCollection),
        (objects.SubscriptionItem, stripe.SubscriptionItem),
        (objects.Price, stripe.Price),
        (objects.Recurring, stripe.Price.Recurring),
        (objects.QuantityTransform, stripe.Price.TransformQuantity),
        (objects.Coupon, stripe.Coupon),
        (objects.Discount, stripe.Discount),
        (objects.DiscountSource, stripe.Discount.Source),
        (objects.Invoice, stripe.Invoice),
        (objects.InvoiceParent, stripe.Invoice.Parent),
        (objects.SubscriptionDetails, stripe.Invoice.Parent.SubscriptionDetails),
        (objects.Dispute, stripe.Dispute),
        (objects.Charge, stripe.Charge),
        (objects.StripeCustomer, stripe.Customer),
    ],
)
def test_the_fields_that_are_read_are_stripes(ours: type[msgspec.Struct], theirs: type) -> None:
    assert set(ours.__struct_fields__) - set(fields(theirs)) - {"object"} == OLDER.get(ours, set())


def test_every_status_is_known() -> None:
    subscription = words(fields(stripe.Subscription)["status"])
    assert subscription == {
        json.loads(said)["status"] for said in re.findall(r"^\| `(\{.*?\})` \|", PAGE, re.MULTILINE)
    }
    assert words(fields(stripe.Invoice)["status"]) == {"draft", *INVOICE_STATUSES}
    assert words(fields(stripe.Dispute)["status"]) == set(DISPUTE_STATUSES)
    intervals = words(fields(stripe.Price.Recurring)["interval"])
    assert intervals == {"day", "week", "month", "year"}


def test_every_event_that_is_mapped_is_one_of_stripes() -> None:
    theirs = words(fields(stripe.Event)["type"])
    mapped = {*INVOICE_KINDS, *DISPUTE_KINDS, *SUBSCRIPTION_KINDS}
    assert mapped - theirs == set()
