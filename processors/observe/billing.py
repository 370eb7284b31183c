"""Billing: the life of subscriptions, invoices and disputes."""

from __future__ import annotations

from processors.observe.retract import retract, retraction
from processors.observe.snapshots import newest, united_snapshots
from processors.state.account import (
    Invoice,
    PaymentDispute,
    Stamp,
    State,
    Subscription,
    SubscriptionSnapshot,
    stamp,
)
from processors.state.parts import NEVER, NOT_PAYING, SNAPSHOT
from schemas.inputs import BILLING
from schemas.records import BillingEvent
from schemas.times import DAY

__all__ = ["TERMS", "observe_billing", "settle"]

TERMS = ("plan", "seats", "mrr_minor", "currency", "renews_at", "standing")

_RANKS = {
    "subscription_started": 1,
    "subscription_updated": 2,
    "cancel_scheduled": 3,
    "cancel_withdrawn": 4,
    "subscription_canceled": 5,
}
"""The order of events of one time; nobody withdraws what was not scheduled."""

_SETTLED = {"invoice_uncollectible": "uncollectible", "invoice_paid": "paid"}
_SETTLED_RANKS = {kind: rank for rank, kind in enumerate(_SETTLED)}

_ENDED = ("canceled", "expired")
"""Statuses of an event of which none comes back."""

_STANDINGS = NOT_PAYING | {"past_due"}


def observe_billing(state: State, event: BillingEvent) -> None:
    """Fold one step of the life of a subscription, an invoice or a dispute."""
    state.applied += 1
    state.heard[BILLING.topic] = max(state.heard.get(BILLING.topic, -1), event.occurred_at)
    if event.dispute_id is not None and event.kind.startswith("dispute_"):
        _observe_dispute(state, event, event.dispute_id)
    elif event.kind.startswith(("invoice_", "payment_", "dispute_")):
        _observe_invoice(state, event)
    else:
        _observe_subscription(state, event)


def _observe_dispute(state: State, event: BillingEvent, key: str) -> None:
    at = stamp(event.occurred_at, event.event_id, rank=event.kind == "dispute_closed")
    dispute = state.billing.disputes.setdefault(key, PaymentDispute())
    if at > dispute.at:
        dispute.at, dispute.open = at, event.kind == "dispute_opened"


def _observe_invoice(state: State, event: BillingEvent) -> None:
    key = event.invoice_id or ""
    if event.kind == "invoice_voided" and key:
        retract(state, "invoice", key, event.occurred_at)
        state.billing.invoices.pop(key, None)
        return
    if retraction(state, "invoice", key) is not None:
        return
    at = stamp(event.occurred_at, event.event_id, _SETTLED_RANKS.get(event.kind, 0))
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
        case "payment_failed" if event.attempts is not None:
            invoice.attempts = max(invoice.attempts, event.attempts)
        case "payment_failed":
            invoice.failures += 1
        case "invoice_paid" | "invoice_uncollectible" if at > invoice.settled_at:
            invoice.settled_at, invoice.settled = at, _SETTLED[event.kind]
        case "dispute_opened" | "dispute_closed" if at > invoice.disputed_at:
            invoice.disputed_at, invoice.disputed = at, event.kind == "dispute_opened"
        case _:
            pass


def _observe_subscription(state: State, event: BillingEvent) -> None:
    at = stamp(event.occurred_at, event.event_id, _RANKS.get(event.kind, 0))
    key = event.subscription_id or ""
    subscription = state.billing.subscriptions.get(key)
    if subscription is None:
        subscription = state.billing.subscriptions[key] = Subscription()
    status = _status(event)
    standing = _standing(event)
    if event.kind == "subscription_started":
        began = subscription.started_at
        subscription.started_at = event.occurred_at if began is None else min(began, event.occurred_at)
    elif event.kind == "cancel_scheduled":
        subscription.canceling_at = max(subscription.canceling_at, event.occurred_at)
    if event.snapshot:
        said = SubscriptionSnapshot(
            at=at[0],
            order=at[1],
            version=event.version,
            previous=event.previous_version,
            status=status or "active",
            standing=standing or "",
            cancel_at=event.cancel_at,
            plan=event.plan,
            seats=event.seats,
            mrr_minor=event.mrr_minor,
            currency=event.currency,
            renews_at=event.renews_at,
        )
        subscription.snapshots = united_snapshots(subscription.snapshots, (said,))
        settle(subscription)
    else:
        _observe_step(subscription, event, at, status)
    if event.snapshot or event.mrr_minor is not None:
        unpaid = standing in NOT_PAYING or status == "canceled"
        _remember_mrr(subscription, at, 0 if unpaid else event.mrr_minor)
    if event.seats is not None:
        _remember_seats(subscription, at, event.seats)
    if event.renews_at is not None:
        subscription.furthest_renewal = max(
            subscription.furthest_renewal, (event.renews_at, -event.occurred_at)
        )
    before, after = event.previous_mrr_minor, event.mrr_minor
    # An end is no downgrade to nothing: it is a sign of its own.
    downgraded = before and after is not None and after < before and status != "canceled"
    if before and after is not None and downgraded and at > subscription.downgraded_at:
        subscription.downgraded_at, subscription.downgrade_ratio = at, after / before


def _status(event: BillingEvent) -> str | None:
    """Return whether the customer means to stay, as an event's status says it, or else its kind."""
    if event.status in _ENDED or event.kind == "subscription_canceled":
        return "canceled"
    if event.cancel_scheduled or event.kind == "cancel_scheduled":
        return "canceling"
    said = event.status != "unknown" or event.kind in ("subscription_started", "cancel_withdrawn")
    return "active" if said else None


def _standing(event: BillingEvent) -> str | None:
    """Return where the payment stands as an event says it; ``None``: it doesn't say."""
    if event.status == "unknown":
        return None
    return event.status if event.status in _STANDINGS else ""


def _observe_step(subscription: Subscription, event: BillingEvent, at: Stamp, status: str | None) -> None:
    """Take over what one step says, and nothing of what it doesn't say."""
    if status is not None and at > subscription.status_at:
        subscription.status_at, subscription.status = at, status
        subscription.cancel_at = event.cancel_at
    for term in TERMS:
        value = _standing(event) if term == "standing" else getattr(event, term)
        ended = term == "renews_at" and status == "canceled"  # then it is known that nothing renews
        if (value is not None or ended) and at > subscription.terms_at.get(term, NEVER):
            subscription.terms_at = dict(sorted((subscription.terms_at | {term: at}).items()))
            setattr(subscription, term, None if ended else value)


def settle(subscription: Subscription) -> None:
    """Let the newest snapshot of a subscription say everything that nothing newer says."""
    if not subscription.snapshots:
        return
    said = newest(subscription.snapshots)
    at = said.at, SNAPSHOT
    if at >= subscription.status_at:
        subscription.status_at, subscription.status = at, said.status
        subscription.cancel_at = said.cancel_at
    terms_at = dict(subscription.terms_at)
    for term in TERMS:
        if at >= terms_at.get(term, NEVER):
            terms_at[term] = at
            setattr(subscription, term, getattr(said, term))
    subscription.terms_at = dict(sorted(terms_at.items()))


def _remember_mrr(subscription: Subscription, at: Stamp, mrr_minor: int | None) -> None:
    day = at[0] // DAY
    known = subscription.mrr_days.get(day)
    if known is None or at > known[0]:
        subscription.mrr_days = dict(sorted((subscription.mrr_days | {day: (at, mrr_minor)}).items()))


def _remember_seats(subscription: Subscription, at: Stamp, seats: int) -> None:
    day = at[0] // DAY
    known = subscription.seats_days.get(day)
    if known is None or at > known[0]:
        subscription.seats_days = dict(sorted((subscription.seats_days | {day: (at, seats)}).items()))
