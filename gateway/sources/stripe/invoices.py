"""Mapping of Stripe's invoices to the fields of billing events. Pure."""

from __future__ import annotations

from typing import Any

from gateway.sources.stripe.amounts import currency_code, iso_minor
from gateway.sources.stripe.customers import account_of
from gateway.sources.stripe.objects import ExpandedObject, Invoice, identifier, milliseconds

__all__ = ["INVOICE_KINDS", "INVOICE_STATUSES", "invoice_fields"]

INVOICE_KINDS = {
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

INVOICE_STATUSES = {
    "open": "invoice_issued",
    "paid": "invoice_paid",
    "uncollectible": "invoice_uncollectible",
    "void": "invoice_voided",
}
"""The kind that says an invoice's status; a draft is no invoice yet."""


def invoice_fields(invoice: Invoice, event_type: str) -> tuple[str | None, dict[str, Any] | None]:
    """
    Return the account of an invoice and the fields of its billing event.

    The fields are ``None`` for a draft, and where neither event nor status says what happened.
    """
    kind = INVOICE_KINDS[event_type]
    said = INVOICE_STATUSES.get(invoice.status or "")
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
    return account_of(metadata, invoice.customer), {
        "kind": kind,
        "subscription_id": next((identifier(each) for each in references if each is not None), None),
        "invoice_id": invoice.id,
        "amount_minor": iso_minor(
            invoice.amount_paid if kind == "invoice_paid" else invoice.amount_due, code
        ),
        "currency": code,
        "due_at": milliseconds(invoice.due_date),
        "attempts": max(1, invoice.attempt_count or 0) if failed else None,
    }
