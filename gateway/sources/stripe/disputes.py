"""Mapping of Stripe's disputes to the fields of billing events. Pure."""

from __future__ import annotations

from typing import Any

from gateway.sources.stripe.amounts import currency_code, iso_minor
from gateway.sources.stripe.customers import account_of
from gateway.sources.stripe.objects import Charge, Dispute

__all__ = ["DISPUTE_KINDS", "DISPUTE_STATUSES", "dispute_fields"]

DISPUTE_KINDS = {
    "charge.dispute.created": "dispute_opened",
    "charge.dispute.updated": "dispute_opened",
    "charge.dispute.closed": "dispute_closed",
    "charge.dispute.funds_withdrawn": "dispute_opened",
    "charge.dispute.funds_reinstated": "dispute_closed",
}
"""The kinds of dispute events that don't say whether the dispute is closed; its status says it."""

DISPUTE_STATUSES = {
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
"""The kind that says a dispute's status."""


def dispute_fields(dispute: Dispute, event_type: str) -> tuple[str | None, dict[str, Any]]:
    """Return the account of a dispute and the fields of its billing event."""
    expanded = [each for each in (dispute.charge, dispute.payment_intent) if isinstance(each, Charge)]
    customers = [each.customer for each in expanded if each.customer is not None]
    metadata = [dispute.metadata, *(each.metadata for each in expanded)]
    account = account_of(metadata, next(iter(customers), None))
    code = currency_code(dispute.currency)
    return account, {
        "kind": DISPUTE_STATUSES.get(dispute.status or "", DISPUTE_KINDS[event_type]),
        "dispute_id": dispute.id,
        "amount_minor": iso_minor(dispute.amount, code),
        "currency": code,
    }
