"""Queries of an account's state that measures, caps, alerts and timers share."""

from __future__ import annotations

from processors.state.account import Invoice, State, Subscription, Ticket
from schemas.times import DAY

__all__ = [
    "customer_since",
    "days_silent",
    "failing_invoices",
    "oldest_due",
    "open_tickets",
    "overdue_days",
    "recurring_revenue",
    "seats_bought",
    "subscription",
]


def days_silent(state: State, now: int) -> int | None:
    """Return the whole days since the last usage; ``None`` without any usage."""
    if state.usage.last_at is None:
        return None
    return max(0, (now - state.usage.last_at) // DAY)


def open_tickets(state: State) -> list[tuple[str, Ticket]]:
    """Return the open tickets, each with its id."""
    return [(key, ticket) for key, ticket in state.tickets.items() if ticket.open and not ticket.deleted]


def failing_invoices(state: State) -> list[Invoice]:
    """Return the unsettled invoices with a failed payment."""
    return [i for i in state.billing.invoices.values() if i.failures and not i.settled]


def oldest_due(state: State) -> int | None:
    """Return when the oldest unsettled invoice is or was due, in UTC milliseconds."""
    unsettled = (invoice for invoice in state.billing.invoices.values() if not invoice.settled)
    return min((invoice.due_at for invoice in unsettled if invoice.due_at is not None), default=None)


def overdue_days(state: State, now: int) -> int:
    """Return the whole days for which the oldest unsettled invoice is past due; 0 when none is."""
    due = oldest_due(state)
    return 0 if due is None else max(0, (now - due) // DAY)


def subscription(state: State) -> Subscription | None:
    """Return the subscription that represents the account: one not canceled first, then the newest."""
    subscriptions = state.billing.subscriptions
    if not subscriptions:
        return None
    rank = {"active": 2, "canceling": 1, "canceled": 0}
    return max(
        subscriptions.items(),
        key=lambda item: (rank[item[1].status], item[1].status_at, item[0]),
    )[1]


def recurring_revenue(state: State) -> tuple[int, str | None] | None:
    """
    Return the monthly recurring revenue of all subscriptions not canceled (minor units) and its currency.

    Without a price in billing, it is a twelfth of the profile's annual revenue. ``None``: not known, or in
    several currencies.
    """
    subscriptions = state.billing.subscriptions.values()
    if all(each.mrr_minor is None for each in subscriptions):
        annual = state.amount("arr_minor")
        return None if annual is None else (annual // 12, state.fact("currency"))
    living = [each for each in subscriptions if each.status != "canceled" and each.mrr_minor is not None]
    currencies = {each.currency for each in living}
    if len(currencies) > 1:
        return None
    return sum(each.mrr_minor or 0 for each in living), currencies.pop() if living else None


def customer_since(state: State) -> int | None:
    """Return when the first subscription, or the profile's customer relation, began: UTC milliseconds."""
    known = [each.started_at for each in state.billing.subscriptions.values()]
    return min((at for at in (*known, state.amount("started_at")) if at is not None), default=None)


def seats_bought(state: State) -> int | None:
    """Return the seats of all subscriptions not canceled, or of the profile; ``None`` or 0: not known."""
    sold = [s.seats for s in state.billing.subscriptions.values() if s.seats and s.status != "canceled"]
    return sum(sold) if sold else state.amount("seats")
