"""
Lago: webhooks about subscriptions and invoices, which become billing events. Pure.

Every message carries its object whole. The id of a message stands in a header. A change of the plan is a
termination that names the next plan, and a start that names the one before: only the start counts.

Source: https://github.com/getlago/lago-openapi, ``src/webhooks``
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import msgspec

from gateway.field_policy import FieldRules
from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.http.times import milliseconds
from gateway.outbox.accounts import account_of
from gateway.sources.signatures import HmacScheme
from gateway.sources.snapshots import Money, header_id, version
from gateway.sources.source import WebhookSource
from schemas.records import BillingEvent

__all__ = ["SOURCE"]

_UNIQUE_KEY = "x-lago-unique-key"
_MONTHS = {
    "weekly": Fraction(12, 52),
    "monthly": Fraction(1),
    "quarterly": Fraction(3),
    "semiannual": Fraction(6),
    "yearly": Fraction(12),
}


class LagoPlan(msgspec.Struct):
    """The plan of a subscription; what is charged by usage is no part of the amount."""

    interval: str | None = None
    amount_cents: Money | None = None
    amount_currency: str | None = None


class LagoSubscription(msgspec.Struct):
    """A subscription."""

    lago_id: str
    external_id: str | None = None
    external_customer_id: str | None = None
    plan_code: str | None = None
    status: str | None = None
    ending_at: str | None = None
    terminated_at: str | None = None
    canceled_at: str | None = None
    next_plan_code: str | None = None
    current_billing_period_ending_at: str | None = None
    plan: LagoPlan | None = None


class LagoCustomer(msgspec.Struct):
    """The customer of an invoice."""

    external_id: str | None = None


class LagoInvoice(msgspec.Struct):
    """An invoice."""

    lago_id: str
    status: str | None = None
    payment_status: str | None = None
    currency: str | None = None
    total_amount_cents: Money | None = None
    payment_due_date: str | None = None
    updated_at: str | None = None
    customer: LagoCustomer | None = None


class LagoFailure(msgspec.Struct):
    """An attempt to pay an invoice that failed."""

    lago_invoice_id: str
    external_customer_id: str | None = None


class LagoMessage(msgspec.Struct):
    """A message."""

    webhook_type: str
    subscription: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    invoice: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    payment_provider_invoice_payment_error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_MESSAGES: Decoder[LagoMessage] = Decoder(LagoMessage, lax=True)
_SUBSCRIPTIONS: Decoder[LagoSubscription] = Decoder(LagoSubscription, lax=True)
_INVOICES: Decoder[LagoInvoice] = Decoder(LagoInvoice, lax=True)
_FAILURES: Decoder[LagoFailure] = Decoder(LagoFailure, lax=True)

_STATUSES = {
    "active": "active",
    "pending": "incomplete",
    "incomplete": "incomplete",
    "canceled": "expired",
    "terminated": "canceled",
}
"""Lago's statuses of a subscription; one that is ``canceled`` there never began."""

_ENDED = ("canceled", "expired")


def split(body: bytes) -> list[bytes]:
    """Return the one message of a body; raise Fault."""
    _MESSAGES.read(body)
    return [body]


def to_record(raw: bytes, sender: Sender, headers: Mapping[str, bytes]) -> BillingEvent | None:
    """Return the record of a message, or ``None`` for one that says nothing about health; raise Fault."""
    message = _MESSAGES.read(raw)
    if message.webhook_type.startswith("subscription.") and message.subscription is not msgspec.UNSET:
        said = _subscription(_SUBSCRIPTIONS.read(message.subscription, "/subscription"), message.webhook_type)
    elif message.webhook_type.startswith("invoice.") and message.invoice is not msgspec.UNSET:
        said = _invoice(_INVOICES.read(message.invoice, "/invoice"))
    elif message.payment_provider_invoice_payment_error is not msgspec.UNSET:
        said = _failure(
            _FAILURES.read(
                message.payment_provider_invoice_payment_error, "/payment_provider_invoice_payment_error"
            )
        )
    else:
        return None
    if said is None:
        return None
    pointer, account, at, fields = said
    return BillingEvent(
        event_id=header_id(headers, _UNIQUE_KEY, raw),
        tenant=sender.tenant,
        account_id=account_of(pointer, account=account),
        source=sender.source,
        occurred_at=sender.received_at if at is None else at,
        received_at=sender.received_at,
        **fields,
    )


Said = tuple[str, str | None, int | None, dict[str, Any]]
"""The pointer to the customer, its id, the time, and the fields of the record."""


def _subscription(subscription: LagoSubscription, webhook_type: str) -> Said | None:
    if webhook_type == "subscription.terminated" and subscription.next_plan_code:
        return None
    status = _STATUSES.get(subscription.status or "", "unknown")
    ended = status in _ENDED
    stop = (subscription.terminated_at or subscription.canceled_at) if ended else subscription.ending_at
    plan = subscription.plan or LagoPlan()
    terms = {
        "status": status,
        "cancel_scheduled": not ended and subscription.ending_at is not None,
        "currency": plan.amount_currency and plan.amount_currency.upper(),
        "plan": subscription.plan_code,
        "mrr_minor": 0 if ended else _monthly(plan),
        "renews_at": None
        if ended
        else _time(
            subscription.current_billing_period_ending_at, "/subscription/current_billing_period_ending_at"
        ),
        "cancel_at": _time(stop, "/subscription/ending_at"),
    }
    kind = "subscription_started" if webhook_type == "subscription.started" else "subscription_updated"
    fields = {
        **terms,
        "kind": "subscription_canceled" if ended else kind,
        "subscription_id": subscription.external_id or subscription.lago_id,
        "snapshot": True,
        "version": version(terms),
    }
    at = _time(subscription.terminated_at, "/subscription/terminated_at") if ended else None
    return "/subscription/external_customer_id", subscription.external_customer_id, at, fields


def _monthly(plan: LagoPlan) -> int | None:
    months = _MONTHS.get(plan.interval or "")
    return None if months is None or plan.amount_cents is None else round(plan.amount_cents / months)


def _invoice(invoice: LagoInvoice) -> Said | None:
    if invoice.status == "voided":
        kind = "invoice_voided"
    elif invoice.status != "finalized":
        return None
    else:
        paid, failed = invoice.payment_status == "succeeded", invoice.payment_status == "failed"
        kind = "invoice_paid" if paid else "payment_failed" if failed else "invoice_issued"
    fields = {
        "kind": kind,
        "invoice_id": invoice.lago_id,
        "amount_minor": invoice.total_amount_cents,
        "currency": invoice.currency and invoice.currency.upper(),
        "due_at": _time(invoice.payment_due_date, "/invoice/payment_due_date"),
        "attempts": 1 if kind == "payment_failed" else None,
    }
    customer = invoice.customer.external_id if invoice.customer else None
    return "/invoice/customer/external_id", customer, _time(invoice.updated_at, "/invoice/updated_at"), fields


def _failure(failure: LagoFailure) -> Said:
    fields = {"kind": "payment_failed", "invoice_id": failure.lago_invoice_id}
    pointer = "/payment_provider_invoice_payment_error/external_customer_id"
    return pointer, failure.external_customer_id, None, fields


def _time(text: str | None, pointer: str) -> int | None:
    if not text:
        return None
    try:
        return milliseconds(text, pointer)
    except Fault:
        raise Fault("not a time in ISO 8601", pointer) from None


SOURCE = WebhookSource(
    name="lago",
    title="Lago",
    topic="billing.events",
    signature_scheme=lambda: HmacScheme(header="x-lago-signature", encoding="base64"),
    split=split,
    to_record=to_record,
    fields=FieldRules(
        needed=(
            "/webhook_type",
            "/subscription/lago_id",
            "/subscription/external_id",
            "/subscription/external_customer_id",
            "/subscription/plan_code",
            "/subscription/status",
            "/subscription/ending_at",
            "/subscription/terminated_at",
            "/subscription/canceled_at",
            "/subscription/next_plan_code",
            "/subscription/current_billing_period_ending_at",
            "/subscription/plan/interval",
            "/subscription/plan/amount_cents",
            "/subscription/plan/amount_currency",
            "/invoice/lago_id",
            "/invoice/status",
            "/invoice/payment_status",
            "/invoice/currency",
            "/invoice/total_amount_cents",
            "/invoice/payment_due_date",
            "/invoice/updated_at",
            "/invoice/customer/external_id",
            "/payment_provider_invoice_payment_error/lago_invoice_id",
            "/payment_provider_invoice_payment_error/external_customer_id",
        ),
        dropped=(
            "/invoice/customer/*",
            "/subscription/customer",
        ),
    ),
    demo_secret="lago-demo",  # noqa: S106 - published
    event_headers=(_UNIQUE_KEY,),
)
