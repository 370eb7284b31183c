"""
Stripe's JSON of simulated events: billing as snapshot events. Pure.

Source: https://docs.stripe.com/api/events/object
"""

from __future__ import annotations

from typing import Any

from schemas.records import BillingEvent

__all__ = ["stripe_event"]

_TYPES = {
    "subscription_started": "customer.subscription.created",
    "subscription_updated": "customer.subscription.updated",
    "cancel_scheduled": "customer.subscription.updated",
    "cancel_withdrawn": "customer.subscription.updated",
    "subscription_canceled": "customer.subscription.deleted",
    "invoice_issued": "invoice.finalized",
    "payment_failed": "invoice.payment_failed",
    "invoice_paid": "invoice.paid",
}


_A_MONTH = 30 * 86_400  # seconds


def stripe_event(event: BillingEvent) -> dict[str, Any]:
    """Return a billing event as Stripe sends it; raise KeyError for a kind the simulator never makes."""
    kind = _TYPES[event.kind]
    data = _invoice(event) if kind.startswith("invoice.") else _subscription(event)
    return {
        "id": event.event_id,
        "object": "event",
        "api_version": "2026-08-26.basil",
        "created": event.occurred_at // 1000,
        "livemode": True,
        "type": kind,
        "data": data,
    }


def _subscription(event: BillingEvent) -> dict[str, Any]:
    canceled = event.kind == "subscription_canceled"
    seats = event.seats or 1
    revenue = event.previous_mrr_minor if canceled else event.mrr_minor
    each = (revenue or 0) // seats
    subscription = {
        "id": event.subscription_id,
        "object": "subscription",
        "customer": f"cus_{event.account_id}",
        "metadata": {"account_id": event.account_id},
        "currency": _currency(event),
        "status": "canceled" if canceled else "active",
        "cancel_at_period_end": False,
        "cancel_at": None if canceled else _seconds(event.cancel_at),
        "ended_at": _seconds(event.cancel_at) if canceled else None,
        "items": _items(event, each, seats),
    }
    data: dict[str, Any] = {"object": subscription}
    if event.kind == "cancel_scheduled":
        data["previous_attributes"] = {"cancel_at": None}
    elif event.kind == "cancel_withdrawn":
        data["previous_attributes"] = {"cancel_at": event.occurred_at // 1000 + _A_MONTH}
    elif event.kind == "subscription_updated" and event.previous_mrr_minor is not None:
        data["previous_attributes"] = {"items": _items_before(event, each)}
    return data


def _items(event: BillingEvent, each: int, seats: int) -> dict[str, Any]:
    price = {
        "id": f"price_{event.plan}",
        "object": "price",
        "nickname": event.plan,
        "currency": _currency(event),
        "unit_amount": each,
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
    }
    ends = _seconds(event.renews_at)
    item = {"object": "subscription_item", "price": price, "quantity": seats, "current_period_end": ends}
    return {"object": "list", "data": [item]}


def _items_before(event: BillingEvent, each: int) -> dict[str, Any]:
    """Return the items before a change: of as many seats at today's price, or one at another price."""
    before = event.previous_mrr_minor or 0
    seats, rest = divmod(before, each)
    return _items(event, before, 1) if rest else _items(event, each, seats)


def _invoice(event: BillingEvent) -> dict[str, Any]:
    paid = event.kind == "invoice_paid"
    about = {"metadata": {"account_id": event.account_id}, "subscription": event.subscription_id}
    invoice = {
        "id": event.invoice_id,
        "object": "invoice",
        "customer": f"cus_{event.account_id}",
        "metadata": {},
        "parent": {"type": "subscription_details", "subscription_details": about},
        "amount_due": event.amount_minor,
        "amount_paid": event.amount_minor if paid else 0,
        "currency": _currency(event),
        "due_date": _seconds(event.due_at),
        "status": "paid" if paid else "open",
    }
    return {"object": invoice}


def _currency(event: BillingEvent) -> str | None:
    return event.currency.lower() if event.currency else None


def _seconds(at: int | None) -> int | None:
    return None if at is None else at // 1000
