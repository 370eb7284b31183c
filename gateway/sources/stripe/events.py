"""
Mapping of Stripe's events to billing events. Pure.

Every event carries its object whole. What is so comes from the object; what has just changed (the kind, and
the revenue before) comes from ``previous_attributes`` and is news only. docs/sources/stripe.md has the table.

Source: https://docs.stripe.com/api/events/types
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
import xxhash

from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.http.times import seconds
from gateway.outbox.accounts import account_or_alias
from gateway.sources.stripe.amounts import currency_code, iso_minor
from gateway.sources.stripe.objects import (
    Charge,
    Dispute,
    ExpandedObject,
    Invoice,
    PreviousAttributes,
    StripeCustomer,
    StripeEvent,
    Subscription,
    SubscriptionItems,
    identifier,
)
from gateway.sources.stripe.revenue import currency, monthly_minor, seats
from schemas.identity.aliases import is_alias
from schemas.records import AccountLink, BillingEvent

__all__ = ["is_test", "split", "to_record"]

T = TypeVar("T")

_INVOICE_KINDS = {
    "invoice.finalized": "invoice_issued",
    "invoice.payment_failed": "payment_failed",
    "invoice.paid": "invoice_paid",
    "invoice.payment_succeeded": "invoice_paid",
    "invoice.voided": "invoice_voided",
    "invoice.marked_uncollectible": "invoice_uncollectible",
    "invoice.sent": "invoice_issued",
    "invoice.overdue": "invoice_issued",
    "invoice.updated": None,
    "invoice.created": None,
    "invoice.finalization_failed": None,
    "invoice.overpaid": None,
    "invoice.payment_action_required": None,
    "invoice.payment_attempt_required": None,
    "invoice.will_be_due": None,
}
"""The kinds of invoice events; for ``None`` the status of the invoice says it."""

_INVOICE_STATUSES = {
    "open": "invoice_issued",
    "paid": "invoice_paid",
    "uncollectible": "invoice_uncollectible",
    "void": "invoice_voided",
}
"""The kind that says an invoice's status; a draft is no invoice yet."""

_DISPUTE_KINDS = {
    "charge.dispute.created": "dispute_opened",
    "charge.dispute.updated": "dispute_opened",
    "charge.dispute.closed": "dispute_closed",
    "charge.dispute.funds_withdrawn": "dispute_opened",
    "charge.dispute.funds_reinstated": "dispute_closed",
}
"""The kinds of dispute events that don't say whether the dispute is closed; its status says it."""

_DISPUTE_STATUSES = {
    "warning_needs_response": "dispute_opened",
    "warning_under_review": "dispute_opened",
    "needs_response": "dispute_opened",
    "under_review": "dispute_opened",
    "appeal_needs_response": "dispute_opened",
    "appeal_under_review": "dispute_opened",
    "warning_closed": "dispute_closed",
    "won": "dispute_closed",
    "lost": "dispute_closed",
    "prevented": "dispute_closed",
}

_SUBSCRIPTION_KINDS = {
    "customer.subscription.created": "subscription_started",
    "customer.subscription.updated": "subscription_updated",
    "customer.subscription.deleted": "subscription_canceled",
    "customer.subscription.paused": "subscription_updated",
    "customer.subscription.resumed": "subscription_updated",
    "customer.subscription.pending_update_applied": "subscription_updated",
    "customer.subscription.pending_update_expired": "subscription_updated",
    "customer.subscription.trial_will_end": "subscription_updated",
}
_CUSTOMER_TYPES = ("customer.created", "customer.updated")
_MAPPED_TYPES = frozenset({*_INVOICE_KINDS, *_DISPUTE_KINDS, *_SUBSCRIPTION_KINDS, *_CUSTOMER_TYPES})
"""The event types that become a record; any other says nothing about health."""

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

_EVENTS: Decoder[StripeEvent] = Decoder(StripeEvent, lax=True)
_THIN_EVENTS: Decoder[dict[str, Any]] = Decoder(dict[str, Any])
_INVOICES: Decoder[Invoice] = Decoder(Invoice, lax=True)
_DISPUTES: Decoder[Dispute] = Decoder(Dispute, lax=True)
_SUBSCRIPTIONS: Decoder[Subscription] = Decoder(Subscription, lax=True)
_CUSTOMERS: Decoder[StripeCustomer] = Decoder(StripeCustomer, lax=True)
_PREVIOUS: Decoder[PreviousAttributes | None] = Decoder(PreviousAttributes | None, lax=True)


def split(body: bytes) -> list[bytes]:
    """Return the one event of a body; raise Fault, also for a thin (v2) event, which carries no object."""
    _decode(body)
    return [body]


def is_test(body: bytes) -> bool:
    """Tell whether an event is of Stripe's test mode."""
    return _decode(body).livemode is False


def to_record(raw: bytes, sender: Sender, _headers: Mapping[str, bytes]) -> BillingEvent | AccountLink | None:
    """
    Return the record of an event, or ``None`` for one that says nothing about health.

    Raises Fault with a pointer into the event, reason ``unresolved_account`` where no account is named.
    """
    event = _decode(raw)
    if event.type not in _MAPPED_TYPES:
        return None
    if event.type in _CUSTOMER_TYPES:
        return _link(_object(_CUSTOMERS, event), event, sender)
    if event.type in _INVOICE_KINDS:
        account, fields = _invoice(_object(_INVOICES, event), event.type)
    elif event.type in _DISPUTE_KINDS:
        account, fields = _dispute(_object(_DISPUTES, event), event.type)
    else:
        account, fields = _subscription(_object(_SUBSCRIPTIONS, event), _previous(event), event.type)
    if fields is None:
        return None
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


def _link(customer: StripeCustomer, event: StripeEvent, sender: Sender) -> AccountLink | None:
    """Return the link from a customer to the account that its metadata name."""
    account, pointer = _named(customer.metadata), "/data/object/metadata/account_id"
    if account is None or account == customer.id:
        return None
    account_or_alias(customer.id, "/data/object/id")
    if is_alias(account_or_alias(account, pointer)):
        raise Fault("a link leads to an account, not to an alias", pointer)
    return AccountLink(
        event_id=event.id,
        tenant=sender.tenant,
        account_id=customer.id,
        source=sender.source,
        occurred_at=seconds(event.created, "/created"),
        received_at=sender.received_at,
        into=account,
    )


def _invoice(invoice: Invoice, event_type: str) -> tuple[str | None, dict[str, Any] | None]:
    kind = _INVOICE_KINDS[event_type]
    said = _INVOICE_STATUSES.get(invoice.status or "")
    settled = said not in (None, "invoice_issued")
    if (kind in (None, "invoice_issued") and invoice.status is not None) or (
        kind == "payment_failed" and settled
    ):
        kind = said
    if kind is None:
        return None, None
    either = [invoice.subscription_details, invoice.parent.subscription_details if invoice.parent else None]
    details = [detail for detail in either if detail is not None]
    references = [invoice.subscription, *(detail.subscription for detail in details)]
    metadata = [invoice.metadata, *(detail.metadata for detail in details)]
    metadata += [each.metadata for each in references if isinstance(each, ExpandedObject)]
    code = currency_code(invoice.currency)
    failed = kind == "payment_failed" and invoice.attempt_count is not None
    return _account(metadata, invoice.customer), {
        "kind": kind,
        "subscription_id": next((identifier(each) for each in references if each is not None), None),
        "invoice_id": invoice.id,
        "amount_minor": iso_minor(
            invoice.amount_paid if kind == "invoice_paid" else invoice.amount_due, code
        ),
        "currency": code,
        "due_at": _milliseconds(invoice.due_date),
        "attempts": max(1, invoice.attempt_count or 0) if failed else None,
    }


def _dispute(dispute: Dispute, event_type: str) -> tuple[str | None, dict[str, Any]]:
    expanded = [each for each in (dispute.charge, dispute.payment_intent) if isinstance(each, Charge)]
    customers = [each.customer for each in expanded if each.customer is not None]
    metadata = [dispute.metadata, *(each.metadata for each in expanded)]
    account = _account(metadata, next(iter(customers), None))
    code = currency_code(dispute.currency)
    return account, {
        "kind": _DISPUTE_STATUSES.get(dispute.status or "", _DISPUTE_KINDS[event_type]),
        "dispute_id": dispute.id,
        "amount_minor": iso_minor(dispute.amount, code),
        "currency": code,
    }


def _subscription(
    subscription: Subscription, previous: PreviousAttributes, event_type: str
) -> tuple[str | None, dict[str, Any]]:
    kind = _SUBSCRIPTION_KINDS[event_type]
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
    return _account([subscription.metadata], subscription.customer), {
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
        "renews_at": None if ended else _milliseconds(renews),
        "cancel_at": _milliseconds(cancel),
    }


_OWN_FIELDS = frozenset(Subscription.__struct_fields__)
_PRICING = frozenset({"items", "quantity", "discount", "discounts"})


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


def _object(decoder: Decoder[T], event: StripeEvent) -> T:
    return decoder.read(event.data.object, "/data/object")


def _previous(event: StripeEvent) -> PreviousAttributes:
    """Return what changed; nothing where it can't be read, because the object itself says what is so."""
    try:
        previous = _PREVIOUS.read(event.data.previous_attributes)
    except Fault:
        previous = None
    return previous or PreviousAttributes()


def _named(metadata: dict[str, Any] | None) -> str | None:
    account = metadata.get("account_id") if metadata else None
    return account if isinstance(account, str) and account else None


def _account(metadata: list[dict[str, Any] | None], customer: str | ExpandedObject | None) -> str | None:
    """Return the account that the metadata name, an expanded customer's last; else the customer's id."""
    if isinstance(customer, ExpandedObject):
        metadata = [*metadata, customer.metadata]
    return next((account for each in metadata if (account := _named(each))), identifier(customer))


def _milliseconds(at: int | None) -> int | None:
    return None if at is None else at * 1000
