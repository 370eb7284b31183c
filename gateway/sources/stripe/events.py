"""
Mapping of Stripe's events to billing events. Pure.

Source: https://docs.stripe.com/api/events/types
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.http.times import seconds
from gateway.outbox.accounts import account_or_alias
from gateway.sources.stripe.objects import (
    Charge,
    Dispute,
    Invoice,
    PreviousAttributes,
    StripeEvent,
    Subscription,
    SubscriptionItems,
    identifier,
    monthly_minor,
    seats,
)
from schemas.records import BillingEvent

__all__ = ["split", "to_record"]

T = TypeVar("T")

_INVOICE_KINDS = {
    "invoice.finalized": "invoice_issued",
    "invoice.payment_failed": "payment_failed",
    "invoice.paid": "invoice_paid",
    "invoice.payment_succeeded": "invoice_paid",
    "invoice.voided": "invoice_voided",
}
_DISPUTE_KINDS = {"charge.dispute.created": "dispute_opened", "charge.dispute.closed": "dispute_closed"}
_SUBSCRIPTION_KINDS = {
    "customer.subscription.created": "subscription_started",
    "customer.subscription.updated": "subscription_updated",
    "customer.subscription.deleted": "subscription_canceled",
}
_MAPPED_TYPES = frozenset(_INVOICE_KINDS | _DISPUTE_KINDS | _SUBSCRIPTION_KINDS)
"""The event types that become a record; any other says nothing about health."""

_EVENTS: Decoder[StripeEvent] = Decoder(StripeEvent)
_THIN_EVENTS: Decoder[dict[str, Any]] = Decoder(dict[str, Any])
_INVOICES: Decoder[Invoice] = Decoder(Invoice)
_DISPUTES: Decoder[Dispute] = Decoder(Dispute)
_SUBSCRIPTIONS: Decoder[Subscription] = Decoder(Subscription)
_PREVIOUS: Decoder[PreviousAttributes | None] = Decoder(PreviousAttributes | None)


def split(body: bytes) -> list[bytes]:
    """Return the one event of a body; raise Fault, also for a thin (v2) event, which carries no object."""
    _decode(body)
    return [body]


def to_record(raw: bytes, sender: Sender, _headers: Mapping[str, bytes]) -> BillingEvent | None:
    """
    Return the record of an event, or ``None`` for one that says nothing about health.

    Raises Fault with a pointer into the event, reason ``unresolved_account`` where no account is named.
    """
    event = _decode(raw)
    if event.type not in _MAPPED_TYPES:
        return None
    if event.type in _INVOICE_KINDS:
        account, fields = _invoice(_object(_INVOICES, event), _INVOICE_KINDS[event.type])
    elif event.type in _DISPUTE_KINDS:
        account, fields = _dispute(_object(_DISPUTES, event), _DISPUTE_KINDS[event.type])
    else:
        account, fields = _subscription(_object(_SUBSCRIPTIONS, event), _previous(event), event.type)
    if not account:
        raise Fault(
            "no account: set metadata.account_id on the object", "/data/object/metadata", "unresolved_account"
        )
    account_or_alias(account, "/data/object/metadata/account_id")
    return BillingEvent(
        event_id=event.id,
        tenant=sender.tenant,
        account_id=account,
        source=sender.source,
        occurred_at=seconds(event.created, "/created"),
        received_at=sender.received_at,
        **fields,
    )


def _decode(body: bytes) -> StripeEvent:
    if _THIN_EVENTS.read(body).get("object") == "v2.core.event":
        raise Fault("a thin event: choose snapshot payloads for this webhook endpoint in Stripe", "/object")
    event = _EVENTS.read(body)
    if event.object != "event":
        raise Fault("not a Stripe event", "/object")
    return event


def _invoice(invoice: Invoice, kind: str) -> tuple[str | None, dict[str, Any]]:
    either = [invoice.subscription_details, invoice.parent.subscription_details if invoice.parent else None]
    details = [detail for detail in either if detail is not None]
    references = [invoice.subscription, *(detail.subscription for detail in details)]
    account = _account(
        [invoice.metadata, *(detail.metadata for detail in details)], identifier(invoice.customer)
    )
    return account, {
        "kind": kind,
        "subscription_id": next((identifier(each) for each in references if each is not None), None),
        "invoice_id": invoice.id,
        "amount_minor": invoice.amount_paid if kind == "invoice_paid" else invoice.amount_due,
        "currency": _currency(invoice.currency),
        "due_at": _milliseconds(invoice.due_date),
    }


def _dispute(dispute: Dispute, kind: str) -> tuple[str | None, dict[str, Any]]:
    charge = dispute.charge if isinstance(dispute.charge, Charge) else None
    account = _account(
        [dispute.metadata, charge.metadata if charge else None],
        identifier(charge.customer) if charge else None,
    )
    return account, {"kind": kind, "amount_minor": dispute.amount, "currency": _currency(dispute.currency)}


def _subscription(
    subscription: Subscription, previous: PreviousAttributes, event_type: str
) -> tuple[str | None, dict[str, Any]]:
    items = subscription.items
    now, before = monthly_minor(items), _monthly_before(items, previous)
    kind = _SUBSCRIPTION_KINDS[event_type]
    ends = [item.current_period_end for item in items.data if item.current_period_end] if items else []
    renews = subscription.current_period_end or min(ends, default=None)
    cancel = None
    if kind == "subscription_canceled":
        now, before, renews = 0, now, None
        cancel = subscription.ended_at or subscription.canceled_at
    elif kind == "subscription_updated":
        kind = _update_kind(subscription, previous)
        if subscription.cancel_at_period_end or subscription.cancel_at:
            cancel = subscription.cancel_at or renews
    price = items.data[0].price if items and items.data else None
    currency = subscription.currency or (price.currency if price else None)
    return _account([subscription.metadata], identifier(subscription.customer)), {
        "kind": kind,
        "subscription_id": subscription.id,
        "currency": _currency(currency),
        "plan": (price.nickname or price.lookup_key or price.id) if price else None,
        "seats": seats(items),
        "mrr_minor": now,
        "previous_mrr_minor": before,
        "renews_at": _milliseconds(renews),
        "cancel_at": _milliseconds(cancel),
    }


def _update_kind(subscription: Subscription, previous: PreviousAttributes) -> str:
    scheduled = bool(subscription.cancel_at_period_end or subscription.cancel_at)
    at_end, at = previous.cancel_at_period_end, previous.cancel_at
    if at_end is msgspec.UNSET and at is msgspec.UNSET:
        return "subscription_updated"
    was_scheduled = bool(subscription.cancel_at_period_end if at_end is msgspec.UNSET else at_end) or bool(
        subscription.cancel_at if at is msgspec.UNSET else at
    )
    if scheduled == was_scheduled:
        return "subscription_updated"
    return "cancel_scheduled" if scheduled else "cancel_withdrawn"


def _monthly_before(items: SubscriptionItems | None, previous: PreviousAttributes) -> int | None:
    if isinstance(previous.items, SubscriptionItems):
        return monthly_minor(previous.items)
    if isinstance(previous.quantity, int) and items is not None and len(items.data) == 1:
        item = msgspec.structs.replace(items.data[0], quantity=previous.quantity)
        return monthly_minor(SubscriptionItems([item]))
    return None


def _object(decoder: Decoder[T], event: StripeEvent) -> T:
    return decoder.read(event.data.object, "/data/object")


def _previous(event: StripeEvent) -> PreviousAttributes:
    previous = _PREVIOUS.read(event.data.previous_attributes, "/data/previous_attributes")
    return previous or PreviousAttributes()


def _account(metadata: list[dict[str, Any] | None], customer: str | None) -> str | None:
    named = [
        m["account_id"] for m in metadata if m and isinstance(m.get("account_id"), str) and m["account_id"]
    ]
    return named[0] if named else customer


def _currency(code: str | None) -> str | None:
    return code.upper() if code and len(code) == 3 and code.isascii() and code.isalpha() else None


def _milliseconds(at: int | None) -> int | None:
    return None if at is None else at * 1000
