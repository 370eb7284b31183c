"""Queries of an account's state that measures, caps, alerts and timers share."""

from __future__ import annotations

from processors.state.account import Invoice, State, Subscription, Ticket, Usage
from schemas.times import DAY

__all__ = [
    "MONTHLY",
    "customer_since",
    "days_silent",
    "ended_at",
    "failing_invoices",
    "next_renewal",
    "oldest_due",
    "open_tickets",
    "overdue_days",
    "recurring_revenue",
    "runs",
    "seats_bought",
    "subscription",
]

MONTHLY = 45 * DAY
"""A shorter term renews every month, or more often."""

_YEARLY = range(350 * DAY, 380 * DAY)


def days_silent(usage: Usage, now: int) -> int | None:
    """Return the whole days since the last usage; ``None`` without any usage."""
    if usage.last_at is None:
        return None
    return max(0, (now - usage.last_at) // DAY)


def open_tickets(state: State) -> list[tuple[str, Ticket]]:
    """Return the open tickets, each with its id."""
    return [(key, ticket) for key, ticket in state.tickets.items() if ticket.open and not ticket.deleted]


def failing_invoices(state: State) -> list[Invoice]:
    """Return the unsettled invoices with a failed payment."""
    return [i for i in state.billing.invoices.values() if i.failed_payments and not i.settled]


def oldest_due(state: State) -> int | None:
    """Return when the oldest unsettled invoice is or was due, in UTC milliseconds."""
    unsettled = state.billing.unsettled.values()
    return min((invoice.due_at for invoice in unsettled if invoice.due_at is not None), default=None)


def overdue_days(state: State, now: int) -> int:
    """Return the whole days for which the oldest unsettled invoice is past due; 0 when none is."""
    due = oldest_due(state)
    return 0 if due is None else max(0, (now - due) // DAY)


def subscription(state: State) -> Subscription | None:
    """Return the subscription that represents the account: the firmest first, then the newest."""
    subscriptions = state.billing.subscriptions
    if not subscriptions:
        return None
    return max(
        subscriptions.items(),
        key=lambda item: (_firmness(item[1]), item[1].status_at, item[0]),
    )[1]


def _firmness(subscription: Subscription) -> int:
    """Rank a subscription by how much of a customer it makes; one that was never paid makes none."""
    if subscription.standing in ("incomplete", "expired"):
        return 0 if subscription.standing == "expired" else 1
    if subscription.status == "active":
        return {"trialing": 6, "paused": 5, "unpaid": 4}.get(subscription.standing, 7)
    return 3 if subscription.status == "canceling" else 2


def next_renewal(state: State, current: Subscription | None, now: int) -> int | None:
    """
    Return when the subscription that represents an account renews next: UTC milliseconds, if it is known.

    That is the date that billing stated last, until its UTC day is over. Without a newer one a running
    subscription of a monthly term has renewed by itself, again and again; one of a yearly term has for
    another year if an invoice was paid since. Of any other term, and without a payment, it is not known.
    """
    if current is None or current.renews_at is None:
        return None
    stated, term = current.renews_at, current.term
    if now // DAY <= stated // DAY:
        return stated
    if current.status != "active" or term is None or term <= 0:
        return None
    if term < MONTHLY or (term in _YEARLY and _paid_since(state, stated)):
        return stated + ((now - stated) // term + 1) * term
    return None


def _paid_since(state: State, at: int) -> bool:
    """Tell whether an invoice that was due since a time was paid since then."""
    return any(
        invoice.settled == "paid"
        and invoice.settled_at[0] >= at
        and (invoice.due_at is None or invoice.due_at >= at)
        for invoice in state.billing.invoices.values()
    )


def runs(subscription: Subscription) -> bool:
    """Tell whether a subscription has begun and not ended."""
    return subscription.status != "canceled" and subscription.standing != "incomplete"


def ended_at(subscription: Subscription) -> int | None:
    """Return when a subscription ended, in UTC milliseconds; ``None``: it has not."""
    if subscription.status != "canceled":
        return None
    said = subscription.status_at[0]
    return said if subscription.cancel_at is None else min(said, subscription.cancel_at)


def recurring_revenue(state: State) -> tuple[int, str | None] | None:
    """
    Return the monthly recurring revenue of all subscriptions (minor units) and its currency.

    Where billing says no price, or that a price is unknown, it is a twelfth of the profile's annual revenue.
    ``None``: not known, or in several currencies.
    """
    said = [each for each in state.billing.subscriptions.values() if "mrr_minor" in each.terms_at]
    if not said or any(each.revenue is None for each in said):
        annual = state.amount("arr_minor")
        return None if annual is None else (annual // 12, state.fact("currency"))
    current = [each for each in said if runs(each)] or said
    currencies = {each.currency for each in current}
    if len(currencies) > 1:
        return None
    return sum(each.revenue or 0 for each in current), currencies.pop()


def customer_since(state: State) -> int | None:
    """Return when the first paid subscription, or the profile's relation, began: UTC milliseconds."""
    subscriptions = state.billing.subscriptions.values()
    known = [each.started_at for each in subscriptions if each.standing not in ("incomplete", "expired")]
    return min((at for at in (*known, state.amount("started_at")) if at is not None), default=None)


def seats_bought(state: State) -> int | None:
    """Return the seats of all subscriptions not canceled, or of the profile; ``None`` or 0: not known."""
    sold = [s.seats for s in state.billing.subscriptions.values() if s.seats and runs(s)]
    return sum(sold) if sold else state.amount("seats")
