"""
Mapping of Stripe's subscriptions to the fields of billing events. Pure.

A subscription is read as it is, and with ``previous_attributes`` as it was before the event.
"""

from __future__ import annotations

from typing import Any

import msgspec
import xxhash

from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.sources.stripe.customers import account_of
from gateway.sources.stripe.objects import (
    PreviousAttributes,
    StripeEvent,
    Subscription,
    SubscriptionItems,
    milliseconds,
)
from gateway.sources.stripe.revenue import currency, monthly_minor, seats

__all__ = ["SUBSCRIPTION_KINDS", "previous_attributes", "subscription_fields"]

SUBSCRIPTION_KINDS = {
    "customer.subscription.created": "subscription_started",
    "customer.subscription.updated": "subscription_updated",
    "customer.subscription.deleted": "subscription_canceled",
    "customer.subscription.paused": "subscription_updated",
    "customer.subscription.resumed": "subscription_updated",
    "customer.subscription.pending_update_applied": "subscription_updated",
    "customer.subscription.pending_update_expired": "subscription_updated",
    "customer.subscription.trial_will_end": "subscription_updated",
}
"""The kinds of subscription events; the status, or what changed, may say another one."""

_STATUSES = {
    "incomplete": "incomplete",
    "incomplete_expired": "expired",
    "trialing": "trialing",
    "active": "active",
    "past_due": "past_due",
    "unpaid": "unpaid",
    "paused": "paused",
    "canceled": "canceled",
}
"""Stripe's statuses of a subscription; any other is unknown, and says nothing."""

_PAUSABLE = ("active", "past_due", "trialing", "unknown")
"""Statuses that stay as they are while the payments of a subscription are paused."""

_ENDED = ("canceled", "expired")

_OWN_FIELDS = frozenset(Subscription.__struct_fields__)
_PRICING = frozenset({"items", "quantity", "discount", "discounts"})

_PREVIOUS: Decoder[PreviousAttributes | None] = Decoder(PreviousAttributes | None, lax=True)


def previous_attributes(event: StripeEvent) -> PreviousAttributes:
    """Return what changed; nothing where it can't be read, because the object itself says what is so."""
    try:
        previous = _PREVIOUS.read(event.data.previous_attributes)
    except Fault:
        previous = None
    return previous or PreviousAttributes()


def subscription_fields(
    subscription: Subscription, previous: PreviousAttributes, event_type: str
) -> tuple[str | None, dict[str, Any]]:
    """Return the account of a subscription and the fields of its billing event."""
    kind = SUBSCRIPTION_KINDS[event_type]
    if kind == "subscription_canceled":
        subscription = msgspec.structs.replace(subscription, status="canceled")
    now = _terms(subscription)
    changed = _changed(previous)
    before = _before(subscription, previous) if changed else None
    was = None if before is None else _terms(before)
    revenue_before = None
    if now["status"] in _ENDED:
        kind, revenue_before = "subscription_canceled", monthly_minor(subscription)
    elif was is not None and before is not None:
        if kind == "subscription_updated" and now["cancel_scheduled"] != was["cancel_scheduled"]:
            kind = "cancel_scheduled" if now["cancel_scheduled"] else "cancel_withdrawn"
        if changed & _PRICING:
            revenue_before = monthly_minor(before)
    return account_of([subscription.metadata], subscription.customer), {
        **now,
        "kind": kind,
        "subscription_id": subscription.id,
        "previous_mrr_minor": revenue_before,
        "snapshot": True,
        "version": _fingerprint(now),
        "previous_version": None if was is None else _fingerprint(was),
    }


def _terms(subscription: Subscription) -> dict[str, Any]:
    """Return what a subscription says of itself, in the fields of a billing event."""
    status = _STATUSES.get(subscription.status or "", "unknown")
    ended = status in _ENDED
    scheduled = not ended and bool(subscription.cancel_at_period_end or subscription.cancel_at)
    if subscription.pause_collection is not None and status in _PAUSABLE:
        status = "paused"
    items = subscription.items
    ends = [item.current_period_end for item in items.data if item.current_period_end] if items else []
    renews = subscription.current_period_end or min(ends, default=None)
    cancel = None
    if ended:
        cancel = subscription.ended_at or subscription.canceled_at
    elif scheduled:
        cancel = subscription.cancel_at or renews
    price = items.data[0].price if items and items.data else None
    return {
        "status": status,
        "cancel_scheduled": scheduled,
        "currency": currency(subscription),
        "plan": (price.nickname or price.lookup_key or price.id) if price else None,
        "seats": seats(items),
        "mrr_minor": 0 if ended else monthly_minor(subscription),
        "renews_at": None if ended else milliseconds(renews),
        "cancel_at": milliseconds(cancel),
    }


def _changed(previous: PreviousAttributes) -> frozenset[str]:
    """Return the names of the attributes that changed."""
    return frozenset(
        name for name in previous.__struct_fields__ if getattr(previous, name) is not msgspec.UNSET
    )


def _before(subscription: Subscription, previous: PreviousAttributes) -> Subscription:
    """Return a subscription as it was before a change."""
    changed = _changed(previous)
    before = msgspec.structs.replace(
        subscription, **{name: getattr(previous, name) for name in changed & _OWN_FIELDS}
    )
    items = subscription.items
    if "items" not in changed and isinstance(previous.quantity, int) and items and len(items.data) == 1:
        item = msgspec.structs.replace(items.data[0], quantity=previous.quantity)
        before.items = SubscriptionItems([item])
    return before


def _fingerprint(terms: dict[str, Any]) -> int:
    return xxhash.xxh32_intdigest(msgspec.json.encode(terms))
