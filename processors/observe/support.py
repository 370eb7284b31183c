"""Support: the life of tickets."""

from __future__ import annotations

from processors.observe.retract import lift, retract_ticket, retraction
from processors.observe.snapshots import newest, united_snapshots
from processors.state.account import State, Ticket, TicketSnapshot, stamp
from processors.state.parts import NEVER, SNAPSHOT
from schemas.inputs import SUPPORT
from schemas.records import SupportEvent

__all__ = ["observe_support", "settle_ticket"]

_STATUS_RANKS = {"opened": 1, "solved": 2, "reopened": 3, "closed": 4}
"""The kinds that say whether a ticket is open, in the order of events of one time."""

_LAST_RANK = 5
"""The rank of what ends a ticket here: deleted, or moved to another account."""

_OPEN = ("opened", "reopened")
_FINISHED = ("solved", "closed")


def observe_support(state: State, event: SupportEvent) -> None:
    """Fold one step of a ticket's life."""
    state.applied += 1
    state.heard[SUPPORT.topic] = max(state.heard.get(SUPPORT.topic, -1), event.occurred_at)
    began = event.occurred_at if event.opened_at is None else min(event.opened_at, event.occurred_at)
    if event.kind == "merged" or (event.kind == "deleted" and not event.snapshot):
        into = event.merged_into if event.kind == "merged" else None
        retract_ticket(state, event.ticket_id, event.occurred_at, into)
        lift(state, event.ticket_id, began)
    elif retraction(state, "ticket", event.ticket_id) is not None:
        lift(state, event.ticket_id, began)
    else:
        _observe_ticket(state, event, began)


def _observe_ticket(state: State, event: SupportEvent, began: int) -> None:
    ticket = state.tickets.get(event.ticket_id)
    if ticket is None:
        ticket = state.tickets[event.ticket_id] = Ticket(
            event.occurred_at, event.occurred_at, open=event.kind != "rated"
        )
    ticket.opened_at = min(ticket.opened_at, began)
    ticket.last_at = max(ticket.last_at, event.occurred_at)
    gone = event.kind in ("deleted", "moved")
    if event.snapshot or gone:
        _observe_snapshot(ticket, event, gone=gone)
    else:
        _observe_step(ticket, event)
    ticket.seen_opening = ticket.seen_opening or event.kind == "opened"
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
        case "opened" if event.status in _FINISHED:
            ticket.solved_at = max(ticket.solved_at, event.occurred_at)
        case "rated":
            at = stamp(event.occurred_at, event.event_id)
            if at > ticket.csat_at:
                ticket.csat_at, ticket.csat = at, event.csat
        case _:
            pass


def _observe_step(ticket: Ticket, event: SupportEvent) -> None:
    """Take over what one step says, and nothing of what it doesn't say."""
    at = stamp(event.occurred_at, event.event_id, _STATUS_RANKS.get(event.kind, 0))
    said = _is_open(event)
    if said is not None and at > ticket.status:
        ticket.status, ticket.open, ticket.gone = at, said, False
    elif ticket.status == NEVER and event.kind != "rated":  # only what was solved is rated
        ticket.open = True
    if event.severity != "unknown" and at > ticket.severity_at:
        ticket.severity_at, ticket.severity = at, event.severity


def _is_open(event: SupportEvent) -> bool | None:
    """Tell whether a ticket is open as an event says it; ``None``: it doesn't say."""
    if event.status != "unknown":
        return event.status not in _FINISHED
    return event.kind in _OPEN if event.kind in _STATUS_RANKS else None


def _observe_snapshot(ticket: Ticket, event: SupportEvent, *, gone: bool) -> None:
    rank = _LAST_RANK if gone else _STATUS_RANKS.get(event.kind, 0)
    at = stamp(event.occurred_at, event.event_id, rank)
    said = TicketSnapshot(
        at=at[0],
        order=at[1],
        version=event.version,
        previous=event.previous_version,
        sequence=event.sequence,
        open=not gone and _is_open(event) is not False,
        severity=event.severity,
        gone=gone,
    )
    ticket.snapshots = united_snapshots(ticket.snapshots, (said,))
    settle_ticket(ticket)


def settle_ticket(ticket: Ticket) -> None:
    """Let the newest snapshot of a ticket say everything that nothing newer says."""
    if not ticket.snapshots:
        return
    said = newest(ticket.snapshots)
    at = said.at, SNAPSHOT
    if at >= ticket.status:
        ticket.status, ticket.open, ticket.gone = at, said.open, said.gone
    if at >= ticket.severity_at:
        ticket.severity_at, ticket.severity = at, said.severity
