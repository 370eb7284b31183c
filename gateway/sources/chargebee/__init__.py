"""
Chargebee: webhooks about subscriptions and invoices, which become billing events. Pure.

Every event carries its objects whole. Events may come out of order, and the version of a subscription, which
is the time of its last change in milliseconds, orders them.

Source: https://apidocs.chargebee.com/docs/api/events
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.field_policy import FieldRules
from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.http.times import milliseconds, seconds
from gateway.outbox.accounts import account_of, account_or_alias
from gateway.sources.signatures import SharedSecret
from gateway.sources.snapshots import Count, EventId, Money, Seconds, named_account, version
from gateway.sources.source import WebhookSource
from schemas.identity.aliases import is_alias
from schemas.records import AccountLink, BillingEvent

__all__ = ["SOURCE"]


class ChargebeeItem(msgspec.Struct):
    """A plan, an addon or a charge of a subscription."""

    item_price_id: str | None = None
    item_type: str | None = None
    quantity: Count | None = None


class ChargebeeSubscription(msgspec.Struct):
    """A subscription. Source: https://apidocs.chargebee.com/docs/api/subscriptions."""

    id: str
    customer_id: str | None = None
    status: str | None = None
    plan_id: str | None = None
    plan_quantity: Count | None = None
    subscription_items: list[ChargebeeItem] | None = None
    currency_code: str | None = None
    mrr: Money | None = None
    next_billing_at: Seconds | None = None
    current_term_end: Seconds | None = None
    cancelled_at: Seconds | None = None
    resource_version: int | None = None
    meta_data: Any = None


class ChargebeeInvoice(msgspec.Struct):
    """An invoice. Source: https://apidocs.chargebee.com/docs/api/invoices."""

    id: str
    customer_id: str | None = None
    subscription_id: str | None = None
    status: str | None = None
    total: Money | None = None
    amount_due: Money | None = None
    currency_code: str | None = None
    due_date: Seconds | None = None
    dunning_attempts: list[Any] | None = None


class ChargebeeCustomer(msgspec.Struct):
    """A customer; its metadata may name the account."""

    id: str | None = None
    meta_data: Any = None


class ChargebeeContent(msgspec.Struct):
    """The objects of an event."""

    subscription: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    invoice: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    customer: ChargebeeCustomer | None = None


class ChargebeeEvent(msgspec.Struct):
    """An event."""

    id: EventId
    event_type: str
    occurred_at: Seconds
    content: ChargebeeContent


_EVENTS: Decoder[ChargebeeEvent] = Decoder(ChargebeeEvent, lax=True)
_SUBSCRIPTIONS: Decoder[ChargebeeSubscription] = Decoder(ChargebeeSubscription, lax=True)
_INVOICES: Decoder[ChargebeeInvoice] = Decoder(ChargebeeInvoice, lax=True)

_STATUSES = {
    "future": "incomplete",
    "in_trial": "trialing",
    "active": "active",
    "non_renewing": "active",
    "paused": "paused",
    "cancelled": "canceled",
    "transferred": "canceled",
}
"""Chargebee's statuses of a subscription; one that has not begun yet is paid by nobody."""

_KINDS = {
    "subscription_created": "subscription_started",
    "subscription_created_with_backdating": "subscription_started",
    "subscription_started": "subscription_started",
    "subscription_cancellation_scheduled": "cancel_scheduled",
    "subscription_scheduled_cancellation_removed": "cancel_withdrawn",
    "subscription_deleted": "subscription_canceled",
}
"""The kinds of events about subscriptions; any other only says the subscription again."""

_INVOICE_STATUSES = {
    "posted": "invoice_issued",
    "payment_due": "invoice_issued",
    "paid": "invoice_paid",
    "not_paid": "invoice_uncollectible",
    "voided": "invoice_voided",
}
"""The kind that says an invoice's status; a pending one is no invoice yet."""


def split(body: bytes) -> list[bytes]:
    """Return the one event of a body; raise Fault."""
    _EVENTS.read(body)
    return [body]


def to_record(raw: bytes, sender: Sender, _headers: Mapping[str, bytes]) -> BillingEvent | AccountLink | None:
    """Return the record of an event, or ``None`` for one that says nothing about health; raise Fault."""
    event = _EVENTS.read(raw)
    content = event.content
    if event.event_type in ("customer_created", "customer_changed"):
        return _link(event, sender)
    at = seconds(event.occurred_at, "/occurred_at")
    if event.event_type.startswith("subscription_") and content.subscription is not msgspec.UNSET:
        subscription = _SUBSCRIPTIONS.read(content.subscription, "/content/subscription")
        if subscription.resource_version is not None:
            at = milliseconds(subscription.resource_version, "/content/subscription/resource_version")
        named, customer = subscription.meta_data, subscription.customer_id
        fields = _subscription(subscription, event.event_type)
    elif content.invoice is not msgspec.UNSET:
        invoice = _INVOICES.read(content.invoice, "/content/invoice")
        named, customer = None, invoice.customer_id
        said = _invoice(invoice, event.event_type)
        if said is None:
            return None
        fields = said
    else:
        return None
    own = content.customer or ChargebeeCustomer()
    account = named_account(named) or named_account(own.meta_data) or customer or own.id
    return BillingEvent(
        event_id=str(event.id),
        tenant=sender.tenant,
        account_id=account_of("/content/customer/id", account=account),
        source=sender.source,
        occurred_at=at,
        received_at=sender.received_at,
        **fields,
    )


def _subscription(subscription: ChargebeeSubscription, event_type: str) -> dict[str, Any]:
    status = _STATUSES.get(subscription.status or "", "unknown")
    kind = _KINDS.get(event_type, "subscription_updated")
    if kind == "subscription_canceled":
        status = "canceled"
    ended, scheduled = status == "canceled", subscription.status == "non_renewing"
    plans = [item for item in subscription.subscription_items or () if item.item_type == "plan"]
    term = subscription.next_billing_at or subscription.current_term_end
    terms = {
        "status": status,
        "cancel_scheduled": scheduled,
        "currency": _code(subscription.currency_code),
        "plan": subscription.plan_id or (plans[0].item_price_id if plans else None),
        "seats": subscription.plan_quantity if subscription.plan_id else _seats(plans),
        "mrr_minor": 0 if ended else subscription.mrr,
        "renews_at": None if ended or term is None else term * 1000,
        "cancel_at": None
        if subscription.cancelled_at is None or not (ended or scheduled)
        else subscription.cancelled_at * 1000,
    }
    return {
        **terms,
        "kind": "subscription_canceled" if ended else kind,
        "subscription_id": subscription.id,
        "snapshot": True,
        "version": version(terms),
    }


def _code(currency: str | None) -> str | None:
    return currency.upper() if currency else None


def _seats(plans: list[ChargebeeItem]) -> int | None:
    quantities = [item.quantity for item in plans if item.quantity is not None]
    return min(sum(quantities), 2**31 - 1) if quantities else None


def _invoice(invoice: ChargebeeInvoice, event_type: str) -> dict[str, Any] | None:
    kind = _INVOICE_STATUSES.get(invoice.status or "")
    if event_type == "invoice_deleted":
        kind = "invoice_voided"
    failed = event_type == "payment_failed" and kind in (None, "invoice_issued")
    if kind is None and not failed:
        return None
    return {
        "kind": "payment_failed" if failed else kind,
        "subscription_id": invoice.subscription_id,
        "invoice_id": invoice.id,
        "amount_minor": invoice.total if kind == "invoice_paid" else invoice.amount_due,
        "currency": _code(invoice.currency_code),
        "due_at": None if invoice.due_date is None else invoice.due_date * 1000,
        "attempts": max(1, len(invoice.dunning_attempts or ())) if failed else None,
    }


def _link(event: ChargebeeEvent, sender: Sender) -> AccountLink | None:
    """Return the link from a customer to the account that its metadata name."""
    customer = event.content.customer or ChargebeeCustomer()
    account, pointer = named_account(customer.meta_data), "/content/customer/meta_data/account_id"
    if account is None or customer.id is None or account == customer.id:
        return None
    if is_alias(account_or_alias(account, pointer)):
        raise Fault("a link leads to an account, not to an alias", pointer)
    return AccountLink(
        event_id=str(event.id),
        tenant=sender.tenant,
        account_id=account_or_alias(customer.id, "/content/customer/id"),
        source=sender.source,
        occurred_at=seconds(event.occurred_at, "/occurred_at"),
        received_at=sender.received_at,
        into=account,
    )


SOURCE = WebhookSource(
    name="chargebee",
    title="Chargebee",
    topic="billing.events",
    signature_scheme=SharedSecret,
    split=split,
    to_record=to_record,
    fields=FieldRules(
        needed=(
            "/id",
            "/event_type",
            "/occurred_at",
            "/content/subscription/id",
            "/content/subscription/customer_id",
            "/content/subscription/status",
            "/content/subscription/plan_id",
            "/content/subscription/plan_quantity",
            "/content/subscription/subscription_items",
            "/content/subscription/currency_code",
            "/content/subscription/mrr",
            "/content/subscription/next_billing_at",
            "/content/subscription/current_term_end",
            "/content/subscription/cancelled_at",
            "/content/subscription/resource_version",
            "/content/subscription/meta_data/account_id",
            "/content/invoice/id",
            "/content/invoice/customer_id",
            "/content/invoice/subscription_id",
            "/content/invoice/status",
            "/content/invoice/total",
            "/content/invoice/amount_due",
            "/content/invoice/currency_code",
            "/content/invoice/due_date",
            "/content/invoice/dunning_attempts/attempt",
            "/content/customer/id",
            "/content/customer/meta_data/account_id",
        ),
        dropped=(
            "/content/customer/*",
            "/content/card",
            "/content/subscription/shipping_address",
            "/content/invoice/billing_address",
            "/user",
        ),
    ),
    demo_secret="chargebee-demo",  # noqa: S106 - published
)
