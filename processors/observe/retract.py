"""
Taking back: what was retracted leaves no trace in what is known, also of what comes late of it.

A ticket or an invoice is retracted for good. A survey's answer or a goal is retracted up to a time:
what is said of it later counts again.
"""

from __future__ import annotations

from processors.state.account import Retraction, State, Ticket
from processors.state.parts import NEVER

__all__ = ["lift", "retract", "retract_ticket", "retraction"]


def retraction(state: State, kind: str, key: str) -> Retraction | None:
    """Return the retraction of a thing, if it was taken back."""
    return state.retracted.get(f"{kind}\n{key}")


def retract(state: State, kind: str, key: str, at: int) -> Retraction:
    """Remember that a thing was taken back at this event time; removing it is the caller's."""
    gone = state.retracted.setdefault(f"{kind}\n{key}", Retraction())
    gone.at = max(gone.at, at)
    return gone


def retract_ticket(state: State, ticket_id: str, at: int, into: str | None) -> None:
    """Take a ticket back; merged into another, that one has waited since the earlier of the two."""
    gone = retract(state, "ticket", ticket_id, at)
    ticket = state.tickets.pop(ticket_id, None)
    lift(state, ticket_id, at if ticket is None else min(at, ticket.opened_at))
    if into and into not in gone.into and gone.since is not None:
        gone.into = sorted([*gone.into, into])
        lift(state, into, gone.since)


def lift(state: State, ticket_id: str, at: int) -> None:
    """Let a ticket have waited since *at* already, or, where it was merged, the tickets it went into."""
    waiting = [ticket_id]
    while waiting:
        key = waiting.pop()
        gone = retraction(state, "ticket", key)
        if gone is None:
            # Its own events say when it was last heard of; a merge into it doesn't.
            ticket = state.tickets.setdefault(key, Ticket(opened_at=at))
            ticket.opened_at = min(ticket.opened_at, at)
            if ticket.status == NEVER:
                ticket.open = True
        elif gone.since is None or at < gone.since:
            gone.since = at
            waiting += gone.into
