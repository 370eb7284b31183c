"""Support: the life of tickets."""

from __future__ import annotations

from processors.observe.retract import lift, retract_ticket, retraction
from processors.state.account import State, Ticket, stamp
from schemas.inputs import SUPPORT
from schemas.records import SupportEvent

__all__ = ["observe_support"]


def observe_support(state: State, event: SupportEvent) -> None:
    """Fold one step of a ticket's life."""
    state.applied += 1
    state.heard[SUPPORT.topic] = max(state.heard.get(SUPPORT.topic, -1), event.occurred_at)
    if event.kind in ("deleted", "merged"):
        into = event.merged_into if event.kind == "merged" else None
        retract_ticket(state, event.ticket_id, event.occurred_at, into)
    elif retraction(state, "ticket", event.ticket_id) is not None:
        lift(state, event.ticket_id, event.occurred_at)
    else:
        _observe_ticket(state, event)


def _observe_ticket(state: State, event: SupportEvent) -> None:
    at = stamp(event.occurred_at, event.event_id)
    ticket = state.tickets.get(event.ticket_id)
    if ticket is None:
        ticket = state.tickets[event.ticket_id] = Ticket(event.occurred_at, event.occurred_at)
    ticket.opened_at = min(ticket.opened_at, event.occurred_at)
    ticket.last_at = max(ticket.last_at, event.occurred_at)
    if event.kind in ("opened", "reopened", "solved", "closed") and at > ticket.status:
        ticket.status, ticket.open = at, event.kind in ("opened", "reopened")
    if event.severity != "unknown" and at > ticket.severity_at:
        ticket.severity_at, ticket.severity = at, event.severity
    match event.kind:
        case "reopened":
            ticket.reopens += 1
            ticket.reopened_at = max(ticket.reopened_at, event.occurred_at)
        case "answered":
            known = ticket.answered_at
            ticket.answered_at = event.occurred_at if known is None else min(known, event.occurred_at)
            ticket.answers += 1
        case "escalated":
            ticket.escalated_at = max(ticket.escalated_at, event.occurred_at)
        case "solved":
            ticket.solved_at = max(ticket.solved_at, event.occurred_at)
        case "rated" if at > ticket.csat_at:
            ticket.csat_at, ticket.csat = at, event.csat
        case _:
            pass
