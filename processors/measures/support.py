"""What support says: open tickets by severity and age, and how well they are answered."""

from __future__ import annotations

from statistics import median

from processors.measures.measured import SUPPORT, MeasureValue, measure
from processors.measures.view import View
from processors.measures.wording import count
from processors.state.account import RING_DAYS, Ticket
from schemas.times import DAY, HOUR

__all__ = [
    "escalated",
    "first_contact",
    "first_response",
    "high",
    "other",
    "reopened",
    "resolution",
    "tickets",
]

SEVERITY_WEIGHT = {"low": 0.5, "normal": 1.0, "unknown": 1.0, "high": 2.0, "urgent": 4.0}
_SOURCES = (SUPPORT,)
_NO_TICKET = "nothing: no ticket is a fact"
_SOLVED = "a ticket solved in 90 days"


@measure("support.open", unit="weighted days", window="now", sources=_SOURCES, needs=_NO_TICKET)
def tickets(view: View) -> MeasureValue:
    """Sum the open tickets' severity weights (0.5 to 4) times their age in days, counted from 1 to 14."""
    waiting = [ticket for ticket in view.tickets if ticket.open]
    if not waiting:
        return MeasureValue(0, "No open tickets")
    burden = sum(SEVERITY_WEIGHT[ticket.severity] * min(1 + _days(view, ticket), 14) for ticket in waiting)
    oldest = max(_days(view, ticket) for ticket in waiting)
    urgent = sum(1 for ticket in waiting if ticket.severity in ("high", "urgent"))
    kind = f", {urgent} high or urgent" if urgent else ""
    age_text = "opened today" if oldest == 0 else f"the oldest {count(oldest, 'day')} old"
    return MeasureValue(burden, f"{count(len(waiting), 'open ticket')}{kind}, {age_text}")


def _days(view: View, ticket: Ticket) -> int:
    return max(0, view.now - ticket.opened_at) // DAY


@measure("support.high", unit="days", window="now", sources=_SOURCES, needs=_NO_TICKET)
def high(view: View) -> MeasureValue:
    """Return how many days ago the oldest open ticket of high severity was opened."""
    return _oldest(view, "high", "high")


@measure("support.other", unit="days", window="now", sources=_SOURCES, needs=_NO_TICKET)
def other(view: View) -> MeasureValue:
    """Return how many days ago the oldest open ticket of normal, low or no severity was opened."""
    return _oldest(view, "ordinary", "normal", "low", "unknown")


def _oldest(view: View, name: str, *severities: str) -> MeasureValue:
    opened = [ticket.opened_at for ticket in view.tickets if ticket.open and ticket.severity in severities]
    if not opened:
        return MeasureValue(0, f"No {name} ticket open")
    age = view.age(min(opened))
    return MeasureValue(
        age, f"Oldest {name} ticket opened {count(age, 'day')} ago" if age else f"{name} ticket opened today"
    )


@measure("support.reopened", unit="tickets", window="28 days", sources=_SOURCES, needs=_NO_TICKET)
def reopened(view: View) -> MeasureValue:
    """Count the tickets reopened in the last 28 days."""
    since = view.now - 28 * DAY
    return _counted(sum(1 for ticket in view.tickets if ticket.reopened_at > since), "reopened")


@measure("support.escalated", unit="tickets", window="28 days", sources=_SOURCES, needs=_NO_TICKET)
def escalated(view: View) -> MeasureValue:
    """Count the tickets escalated in the last 28 days."""
    since = view.now - 28 * DAY
    return _counted(sum(1 for ticket in view.tickets if ticket.escalated_at > since), "escalated")


def _counted(number: int, what: str) -> MeasureValue:
    return MeasureValue(number, f"{count(number, 'ticket') if number else 'No ticket'} {what} in 28 days")


@measure(
    "support.first_response",
    unit="hours",
    window="90 days",
    sources=_SOURCES,
    needs="a ticket opened and answered in 90 days",
)
def first_response(view: View) -> MeasureValue:
    """Return the median hours from a ticket's opening to an agent's first answer."""
    answered = [
        (ticket.answered_at - ticket.opened_at, ticket.answered_at)
        for ticket in view.tickets
        if ticket.answered_at is not None and view.age(ticket.opened_at) < RING_DAYS
    ]
    if not answered:
        return MeasureValue(None, "No ticket answered in 90 days")
    hours = median(wait for wait, _ in answered) / HOUR
    return MeasureValue(hours, f"First answer after {hours:.1f} hours", as_of=max(at for _, at in answered))


@measure("support.resolution", unit="hours", window="90 days", sources=_SOURCES, needs=_SOLVED)
def resolution(view: View) -> MeasureValue:
    """Return the median hours from a ticket's opening to its last solution."""
    if not view.solved:
        return MeasureValue(None, "No ticket solved in 90 days")
    hours = median(at - ticket.opened_at for ticket, at in view.solved) / HOUR
    return MeasureValue(hours, f"Solved after {hours:.1f} hours", as_of=max(at for _, at in view.solved))


@measure("support.first_contact", unit="ratio", window="90 days", sources=_SOURCES, needs=_SOLVED)
def first_contact(view: View) -> MeasureValue:
    """Return the share of the solved tickets that took one answer at most and were never reopened."""
    if not view.solved:
        return MeasureValue(None, "No ticket solved in 90 days")
    first = sum(1 for ticket, _ in view.solved if ticket.answers <= 1 and not ticket.reopens)
    share, newest = first / len(view.solved), max(at for _, at in view.solved)
    return MeasureValue(
        share, f"{first} of {count(len(view.solved), 'ticket')} solved at first contact", as_of=newest
    )
