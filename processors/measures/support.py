"""Measures of support: open tickets by severity and age, and how well they are answered."""

from __future__ import annotations

from statistics import median

from processors.measures.definition import SUPPORT, MeasureValue, measure
from processors.measures.example import ago
from processors.measures.formats import count
from processors.state.account import RING_DAYS, Ticket
from processors.view import View
from schemas.records import SupportEvent
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
    "troubled",
]

SEVERITY_WEIGHT = {"low": 0.5, "normal": 1.0, "unknown": 1.0, "high": 2.0, "urgent": 4.0}
_SOURCES = (SUPPORT,)
_TROUBLE_DAYS = 75
_SLOW_DAYS = 5
_NO_TICKET = "nothing: 0 without a ticket"
_SOLVED = "a ticket solved in 90 days"
_OPEN_TICKETS = (
    ago(9, SupportEvent, ticket_id="1", kind="opened", severity="high"),
    ago(4, SupportEvent, ticket_id="2", kind="opened", severity="normal"),
)
_SOLVED_TICKETS = (
    ago(20, SupportEvent, ticket_id="3", kind="opened"),
    ago(19.75, SupportEvent, ticket_id="3", kind="answered"),
    ago(19, SupportEvent, ticket_id="3", kind="solved"),
    ago(15, SupportEvent, ticket_id="4", kind="opened"),
    ago((14.5, 14), SupportEvent, ticket_id="4", kind="answered"),
    ago(13, SupportEvent, ticket_id="4", kind="solved"),
)


@measure(
    "support.open",
    kpi="Open ticket age by severity",
    unit="weighted days",
    window="now",
    sources=_SOURCES,
    needs=_NO_TICKET,
    example=_OPEN_TICKETS,
)
def tickets(view: View) -> MeasureValue:
    """Return the sum of each open ticket's severity weight (0.5 to 4) times its age in days, from 1 to 14."""
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


@measure(
    "support.high",
    kpi="Open ticket age by severity",
    unit="days",
    window="now",
    sources=_SOURCES,
    needs=_NO_TICKET,
    example=_OPEN_TICKETS,
)
def high(view: View) -> MeasureValue:
    """Return the days since the oldest open ticket of high severity was opened."""
    return _oldest(view, "high", "high")


@measure(
    "support.other",
    kpi="Open ticket age by severity",
    unit="days",
    window="now",
    sources=_SOURCES,
    needs=_NO_TICKET,
    example=_OPEN_TICKETS,
)
def other(view: View) -> MeasureValue:
    """Return the days since the oldest open ticket of normal, low or no severity was opened."""
    return _oldest(view, "ordinary", "normal", "low", "unknown")


def _oldest(view: View, name: str, *severities: str) -> MeasureValue:
    opened = [ticket.opened_at for ticket in view.tickets if ticket.open and ticket.severity in severities]
    if not opened:
        return MeasureValue(0, f"No {name} ticket open")
    age = view.age(min(opened))
    return MeasureValue(
        age, f"Oldest {name} ticket opened {count(age, 'day')} ago" if age else f"{name} ticket opened today"
    )


@measure(
    "support.reopened",
    kpi="Reopened tickets",
    unit="tickets",
    window="28 days",
    sources=_SOURCES,
    needs=_NO_TICKET,
    example=(*_SOLVED_TICKETS, ago(8, SupportEvent, ticket_id="4", kind="reopened")),
)
def reopened(view: View) -> MeasureValue:
    """Return the number of tickets reopened in the last 28 days."""
    since = view.now - 28 * DAY
    return _counted(sum(1 for ticket in view.tickets if ticket.reopened_at > since), "reopened")


@measure(
    "support.escalated",
    kpi="Escalation",
    unit="tickets",
    window="28 days",
    sources=_SOURCES,
    needs=_NO_TICKET,
    example=(*_OPEN_TICKETS, ago(8, SupportEvent, ticket_id="1", kind="escalated")),
)
def escalated(view: View) -> MeasureValue:
    """Return the number of tickets escalated in the last 28 days."""
    since = view.now - 28 * DAY
    return _counted(sum(1 for ticket in view.tickets if ticket.escalated_at > since), "escalated")


@measure(
    "support.troubled",
    kpi="Slow tickets",
    unit="tickets",
    window="75 days",
    sources=_SOURCES,
    needs=_NO_TICKET,
    example=(*_SOLVED_TICKETS, *_OPEN_TICKETS, ago(8, SupportEvent, ticket_id="1", kind="escalated")),
)
def troubled(view: View) -> MeasureValue:
    """
    Return the number of tickets of 75 days that went badly, an urgent or high one counted twice.

    A ticket went badly that took more than 5 days (or is open for as long), was reopened or escalated, or got
    1 or 2 of 5 points.
    """
    bad = [
        ticket
        for ticket in view.tickets
        if view.age(ticket.last_at) < _TROUBLE_DAYS and _went_badly(view, ticket)
    ]
    if not bad:
        return MeasureValue(0, f"No ticket went badly in {_TROUBLE_DAYS} days")
    number = sum(2 if ticket.severity in ("high", "urgent") else 1 for ticket in bad)
    return MeasureValue(
        number, f"{count(len(bad), 'ticket')} slow, reopened or escalated in {_TROUBLE_DAYS} days"
    )


def _went_badly(view: View, ticket: Ticket) -> bool:
    ended = view.today if ticket.open else max(ticket.solved_at, ticket.status[0]) // DAY
    slow = ended - ticket.opened_at // DAY > _SLOW_DAYS
    rated = ticket.csat is not None and ticket.csat <= 2
    return slow or rated or bool(ticket.reopens) or ticket.escalated_at >= 0


def _counted(number: int, what: str) -> MeasureValue:
    return MeasureValue(number, f"{count(number, 'ticket') if number else 'No ticket'} {what} in 28 days")


@measure(
    "support.first_response",
    kpi="Time to first response",
    unit="hours",
    window="90 days",
    sources=_SOURCES,
    needs="a ticket opened and answered in 90 days",
    example=_SOLVED_TICKETS,
)
def first_response(view: View) -> MeasureValue:
    """Return the median hours from a ticket's opening to an agent's first answer."""
    answered = [
        (ticket.answered_at - ticket.opened_at, ticket.answered_at)
        for ticket in view.tickets
        if ticket.whole and ticket.answered_at is not None and view.age(ticket.opened_at) < RING_DAYS
    ]
    if not answered:
        return MeasureValue(None, "No ticket answered in 90 days")
    hours = median(wait for wait, _ in answered) / HOUR
    return MeasureValue(hours, f"First answer after {hours:.1f} hours", as_of=max(at for _, at in answered))


@measure(
    "support.resolution",
    kpi="Time to resolution",
    unit="hours",
    window="90 days",
    sources=_SOURCES,
    needs=_SOLVED,
    example=_SOLVED_TICKETS,
)
def resolution(view: View) -> MeasureValue:
    """Return the median hours from a ticket's opening to the time at which it was last solved."""
    if not view.solved:
        return MeasureValue(None, "No ticket solved in 90 days")
    hours = median(at - ticket.opened_at for ticket, at in view.solved) / HOUR
    return MeasureValue(hours, f"Solved after {hours:.1f} hours", as_of=max(at for _, at in view.solved))


@measure(
    "support.first_contact",
    kpi="First-contact resolution",
    unit="ratio",
    window="90 days",
    sources=_SOURCES,
    needs=_SOLVED,
    example=_SOLVED_TICKETS,
)
def first_contact(view: View) -> MeasureValue:
    """Return the share of the solved tickets that took one answer at most and were never reopened."""
    solved = [(ticket, at) for ticket, at in view.solved if ticket.whole]
    if not solved:
        return MeasureValue(None, "No ticket solved in 90 days")
    first = sum(1 for ticket, _ in solved if ticket.answers <= 1 and not ticket.reopens)
    share, newest = first / len(solved), max(at for _, at in solved)
    return MeasureValue(
        share, f"{first} of {count(len(solved), 'ticket')} solved at first contact", as_of=newest
    )
