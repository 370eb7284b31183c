"""
Mapping of Zendesk's ticket events to support events, and of its organizations to links. Pure.

Every event carries its ticket whole. What is so comes from the ticket; what has just changed comes from the
event's own part and is news only. docs/sources/zendesk.md has the table.

Source: https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import xxhash

from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.http.times import milliseconds
from gateway.outbox.accounts import account_or_alias
from gateway.sources.snapshots import Id
from gateway.sources.zendesk.objects import (
    Comment,
    Organization,
    SatisfactionScore,
    Ticket,
    TicketChange,
    ZendeskEvent,
)
from schemas.identity.aliases import is_alias
from schemas.identity.keys import valid_account
from schemas.records import AccountLink, SupportEvent

__all__ = ["split", "to_record"]

_TICKET_PREFIX = "zen:event-type:ticket."
_ORGANIZATION_TYPES = (
    "zen:event-type:organization.created",
    "zen:event-type:organization.external_id_changed",
)
_MAX_TEXT = 4_096
"""Characters of a ticket's subject; the rest is cut off."""

_EVENTS: Decoder[ZendeskEvent] = Decoder(ZendeskEvent, lax=True)
_TICKETS: Decoder[Ticket] = Decoder(Ticket, lax=True)
_ORGANIZATIONS: Decoder[Organization] = Decoder(Organization, lax=True)
_CHANGES: Decoder[TicketChange] = Decoder(TicketChange, lax=True)
_TEXTS: Decoder[str | None] = Decoder(str | None)
_IDS: Decoder[Id] = Decoder(Id)

_SEVERITIES = {"low": 1, "normal": 2, "high": 3, "urgent": 4}
_STATUSES = {name: name for name in ("new", "open", "pending", "hold", "solved", "closed", "deleted")} | {
    "archived": "closed"
}
"""Zendesk's statuses of a ticket; any other is unknown, and says nothing."""

_ENDED = ("solved", "closed")
_MERGED_TAG = "closed_by_merge"
"""The tag of a ticket that Zendesk has closed because it was merged into another."""

_DELETIONS = ("soft_deleted", "permanently_deleted", "marked_as_spam")
_PLAIN = (*_DELETIONS, "created", "merged")
"""Names of events that say by themselves what happened."""


def split(body: bytes) -> list[bytes]:
    """Return the one event of a body; raise Fault, as for the payload of a trigger, which has no type."""
    _EVENTS.read(body)
    return [body]


def to_record(raw: bytes, sender: Sender, _headers: Mapping[str, bytes]) -> SupportEvent | AccountLink | None:
    """
    Return the record of an event, or ``None`` for one that says nothing about health.

    Raises Fault with a pointer into the event, reason ``unresolved_account`` for a ticket without
    an organization.
    """
    event = _EVENTS.read(raw)
    if event.type in _ORGANIZATION_TYPES:
        return _link(_ORGANIZATIONS.read(event.detail, "/detail"), event, sender)
    name = event.type.removeprefix(_TICKET_PREFIX)
    if name == event.type:
        return None
    ticket = _TICKETS.read(event.detail, "/detail")
    try:
        change = _CHANGES.read(event.event, "/event")
        before = _before(name, ticket, change)
        kind, csat = _kind(name, ticket, before, change)
    except Fault:
        if _status(ticket) == "unknown":
            raise
        # What just changed is news only: where it can't be read, the ticket still says what is so.
        change, before = TicketChange(), ticket
        kind, csat = _kind(name if name in _PLAIN else "", ticket, before, change)
    if kind is None:
        return None
    account, moved_from = _organization(ticket.organization_id), None
    if name == "organization_changed":
        moved_from = _organization(before.organization_id)
        if account is None and moved_from is not None:
            kind, account, moved_from = "moved", moved_from, None
    if account is None and kind == "updated":
        return None
    ticket_id = "" if ticket.id is None else str(ticket.id)
    if not valid_account(ticket_id):
        raise Fault("the ticket's id is missing or unusable", "/detail/id")
    if account is None:
        raise Fault(
            "no account: the ticket has no organization", "/detail/organization_id", "unresolved_account"
        )
    account_or_alias(account, "/detail/organization_id")
    if moved_from is not None:
        account_or_alias(moved_from, "/event/previous")
    status, whole = _status(ticket), ticket.status is not None or kind == "deleted"
    return SupportEvent(
        event_id=str(event.id),
        tenant=sender.tenant,
        account_id=account,
        source=sender.source,
        occurred_at=_time(event, sender),
        received_at=sender.received_at,
        ticket_id=ticket_id,
        kind=kind,
        severity=_severity(ticket),
        csat=csat,
        subject=ticket.subject.replace("\0", "")[:_MAX_TEXT] if ticket.subject else None,
        status="unknown" if status == "deleted" else status,
        snapshot=whole,
        version=_fingerprint(ticket) if whole else None,
        previous_version=_fingerprint(before) if whole and name != "created" else None,
        sequence=change.meta.sequence.position if change.meta and change.meta.sequence else None,
        opened_at=milliseconds(ticket.created_at, "/detail/created_at") if ticket.created_at else None,
        moved_from=moved_from,
    )


def _link(organization: Organization, event: ZendeskEvent, sender: Sender) -> AccountLink | None:
    """Return the link from an organization to the account that its external id names."""
    own, account = _organization(organization.id), _organization(organization.external_id)
    if own is None or account is None or own == account:
        return None
    account_or_alias(own, "/detail/id")
    if is_alias(account_or_alias(account, "/detail/external_id")):
        raise Fault("a link leads to an account, not to an alias", "/detail/external_id")
    return AccountLink(
        event_id=str(event.id),
        tenant=sender.tenant,
        account_id=own,
        source=sender.source,
        occurred_at=_time(event, sender),
        received_at=sender.received_at,
        into=account,
    )


def _time(event: ZendeskEvent, sender: Sender) -> int:
    return milliseconds(event.time, "/time") if event.time else sender.received_at


def _organization(organization: Id) -> str | None:
    return None if organization in (None, "", 0, "0") else str(organization)


def _before(name: str, ticket: Ticket, change: TicketChange) -> Ticket:
    """
    Return a ticket as it was before an event, and let the ticket have what the event says it has now.

    A ticket may have changed again before its event was sent. Whether and where it is open at the time of the
    event is then what the event says; the priority is that of the ticket.
    """
    before = msgspec.structs.replace(ticket)
    decoder: Decoder[Any] = _TEXTS
    if name == "organization_changed":
        field, decoder = "organization_id", _IDS
    elif name in ("status_changed", "priority_changed"):
        field = name.removesuffix("_changed")
    else:
        return before
    if change.previous is not msgspec.UNSET:
        setattr(before, field, decoder.read(change.previous, "/event/previous"))
    if change.current is not msgspec.UNSET and (field != "priority" or ticket.priority is None):
        setattr(ticket, field, decoder.read(change.current, "/event/current"))
    return before


def _status(ticket: Ticket) -> str:
    return _STATUSES.get((ticket.status or "").lower(), "unknown")


def _severity(ticket: Ticket) -> str:
    severity = (ticket.priority or "").lower()
    return severity if severity in _SEVERITIES else "unknown"


def _fingerprint(ticket: Ticket) -> int:
    return xxhash.xxh32_intdigest(f"{_status(ticket)} {_severity(ticket)}".encode())


def _kind(name: str, ticket: Ticket, before: Ticket, change: TicketChange) -> tuple[str | None, int | None]:
    """Return what happened, ``updated`` where a ticket is only said again, and the rating."""
    status = _status(ticket)
    if name in _DELETIONS or status == "deleted":
        return "deleted", None
    if status in _ENDED and (name == "merged" or _MERGED_TAG in (ticket.tags or ())):
        return "merged", None
    again = "updated" if status != "unknown" else None
    if name == "created":
        return "opened", None
    if name == "comment_added":
        return _commented(change.comment, again), None
    if name == "csat_received":
        csat = _csat(change.satisfaction_score)
        return (again if csat is None else "rated"), csat
    if name == "priority_changed":
        # A ticket without a priority ranks as normal: setting one is triage, not escalation.
        was = _SEVERITIES.get(_severity(before), _SEVERITIES["normal"])
        return ("escalated" if _SEVERITIES.get(_severity(ticket), 0) > was else again or "updated"), None
    if name == "status_changed":
        return _status_kind(status, _status(before)) or again, None
    return ("updated" if name == "organization_changed" else again), None


def _commented(comment: Comment | None, again: str | None) -> str | None:
    if comment is None:
        raise Fault("comment is missing", "/event/comment")
    if comment.is_public is False:
        return again
    if comment.author is None or comment.author.is_staff is None:
        raise Fault("the author of the comment is not said", "/event/comment/author")
    return "answered" if comment.author.is_staff else "replied"


def _status_kind(current: str, previous: str) -> str | None:
    if current in _ENDED:
        return current if current != previous else None
    return "reopened" if previous in _ENDED and current != "unknown" else None


def _csat(rating: SatisfactionScore | None) -> int | None:
    score = None if rating is None else rating.score
    text = str(score).lower() if isinstance(score, str) else score
    if isinstance(text, str) and text.startswith(("good", "bad")):  # also with or without a comment
        return 5 if text.startswith("good") else 1
    if isinstance(text, str):
        text = int(text) if text in ("1", "2", "3", "4", "5") else None
    return text if text is not None and 1 <= text <= 5 else None
