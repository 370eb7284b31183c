"""Billing: the life of subscriptions and invoices."""

from __future__ import annotations

from processors.observe.retract import retract, retraction
from processors.state.account import Invoice, Stamp, State, Subscription, stamp
from schemas.inputs import BILLING
from schemas.records import BillingEvent
from schemas.times import DAY

__all__ = ["TERMS", "observe_billing"]

TERMS = ("plan", "seats", "mrr_minor", "currency", "renews_at")
_STATUS = {
    "subscription_started": "active",
    "cancel_withdrawn": "active",
    "cancel_scheduled": "canceling",
    "subscription_canceled": "canceled",
}


def observe_billing(state: State, event: BillingEvent) -> None:
    """Fold one step of a subscription's or an invoice's life."""
    state.applied += 1
    state.heard[BILLING.topic] = max(state.heard.get(BILLING.topic, -1), event.occurred_at)
    if event.kind.startswith(("invoice_", "payment_", "dispute_")):
        _observe_invoice(state, event)
    else:
        _observe_subscription(state, event)


def _observe_invoice(state: State, event: BillingEvent) -> None:
    key = event.invoice_id or ""
    if event.kind == "invoice_voided" and key:
        retract(state, "invoice", key, event.occurred_at)
        state.billing.invoices.pop(key, None)
        return
    if retraction(state, "invoice", key) is not None:
        return
    at = stamp(event.occurred_at, event.event_id)
    invoice = state.billing.invoices.get(key)
    if invoice is None:
        invoice = state.billing.invoices[key] = Invoice()
    invoice.last_at = max(invoice.last_at, event.occurred_at)
    # The amount, currency and due date of an invoice don't change; of several, the largest is as good
    # as any and doesn't depend on order.
    if event.amount_minor is not None:
        invoice.amount_minor = max(invoice.amount_minor or 0, event.amount_minor)
    if event.currency is not None:
        invoice.currency = max(invoice.currency or "", event.currency)
    if event.due_at is not None:
        invoice.due_at = max(invoice.due_at or 0, event.due_at)
    match event.kind:
        case "payment_failed":
            invoice.failures += 1
        case "invoice_paid" if at > invoice.settled_at:
            invoice.settled_at, invoice.settled = at, "paid"
        case "dispute_opened" | "dispute_closed" if at > invoice.disputed_at:
            invoice.disputed_at, invoice.disputed = at, event.kind == "dispute_opened"
        case _:
            pass


def _observe_subscription(state: State, event: BillingEvent) -> None:
    at = stamp(event.occurred_at, event.event_id)
    key = event.subscription_id or ""
    subscription = state.billing.subscriptions.get(key)
    if subscription is None:
        subscription = state.billing.subscriptions[key] = Subscription()
    status = _STATUS.get(event.kind)
    if status is not None and at > subscription.status_at:
        subscription.status_at, subscription.status = at, status
        subscription.cancel_at = event.cancel_at
    if event.kind == "subscription_started":
        began = subscription.started_at
        subscription.started_at = event.occurred_at if began is None else min(began, event.occurred_at)
    elif event.kind == "cancel_scheduled":
        subscription.canceling_at = max(subscription.canceling_at, event.occurred_at)
    for term in TERMS:
        value = getattr(event, term)
        if value is not None and at > subscription.terms_at.get(term, (-1, 0)):
            subscription.terms_at = dict(sorted((subscription.terms_at | {term: at}).items()))
            setattr(subscription, term, value)
    if event.mrr_minor is not None:
        _remember_mrr(subscription, at, event.mrr_minor)
    before, after = event.previous_mrr_minor, event.mrr_minor
    if before and after is not None and after < before and at > subscription.downgraded_at:
        subscription.downgraded_at, subscription.downgrade_ratio = at, after / before


def _remember_mrr(subscription: Subscription, at: Stamp, mrr_minor: int) -> None:
    day = at[0] // DAY
    known = subscription.mrr_days.get(day)
    if known is None or at > known[0]:
        subscription.mrr_days = dict(sorted((subscription.mrr_days | {day: (at, mrr_minor)}).items()))
