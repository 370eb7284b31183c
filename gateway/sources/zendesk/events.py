"""
Mapping of Zendesk's ticket events to support events. Pure.

Source: https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/
There ids are strings, and statuses and priorities are upper case; other spellings are read as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.http.times import milliseconds
from gateway.outbox.accounts import account_or_alias
from schemas.identity.keys import valid_account
from schemas.records import SupportEvent

__all__ = ["split", "to_record"]

_TYPE_PREFIX = "zen:event-type:ticket."
_MAX_TEXT = 4_096
"""Characters of a ticket's subject; the rest is cut off."""

Id = str | Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None


class Ticket(msgspec.Struct):
    """The ticket, as it is after the event."""

    id: Id = None
    organization_id: Id = None
    priority: str | None = None
    subject: str | None = None
    tags: list[str] | None = None


class Author(msgspec.Struct):
    """The author of a comment."""

    is_staff: bool


class Comment(msgspec.Struct):
    """A comment; its text is not read."""

    author: Author
    is_public: bool = True


class SatisfactionScore(msgspec.Struct):
    """A rating: GOOD or BAD, or a number from 1 to 5."""

    score: str | int | None = None


class TicketChange(msgspec.Struct):
    """The event of a ticket; which fields are present depends on the event's type."""

    current: msgspec.Raw = msgspec.Raw(b"null")
    previous: msgspec.Raw = msgspec.Raw(b"null")
    comment: Comment | None = None
    satisfaction_score: SatisfactionScore | None = None


class ZendeskEvent(msgspec.Struct):
    """An event, as a webhook that is subscribed to events sends it."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    type: str
    detail: msgspec.Raw = msgspec.Raw(b"{}")
    event: msgspec.Raw = msgspec.Raw(b"{}")
    time: str | None = None


_EVENTS: Decoder[ZendeskEvent] = Decoder(ZendeskEvent)
_TICKETS: Decoder[Ticket] = Decoder(Ticket)
_CHANGES: Decoder[TicketChange] = Decoder(TicketChange)
_TEXTS: Decoder[str | None] = Decoder(str | None)

_SEVERITIES = {"low": 1, "normal": 2, "high": 3, "urgent": 4}
_ENDED = ("solved", "closed")
_MERGED_TAG = "closed_by_merge"
"""The tag of a ticket that Zendesk has closed because it was merged into another."""

_DELETIONS = ("soft_deleted", "permanently_deleted", "marked_as_spam")
_MAPPED_TYPES = (
    "created",
    "status_changed",
    "priority_changed",
    "comment_added",
    "csat_received",
    *_DELETIONS,
)


def split(body: bytes) -> list[bytes]:
    """Return the one event of a body; raise Fault, as for the payload of a trigger, which has no type."""
    _EVENTS.read(body)
    return [body]


def to_record(raw: bytes, sender: Sender, _headers: Mapping[str, bytes]) -> SupportEvent | None:
    """
    Return the record of an event, or ``None`` for one that says nothing about health.

    Raises Fault with a pointer into the event, reason ``unresolved_account`` for a ticket without
    an organization.
    """
    event = _EVENTS.read(raw)
    name = event.type.removeprefix(_TYPE_PREFIX)
    if name not in _MAPPED_TYPES or name == event.type:
        return None
    ticket = _TICKETS.read(event.detail, "/detail")
    kind, csat = _kind(name, _CHANGES.read(event.event, "/event"))
    if kind is None:
        return None
    if kind in _ENDED and _MERGED_TAG in (ticket.tags or ()):
        kind = "merged"
    ticket_id = "" if ticket.id is None else str(ticket.id)
    if not valid_account(ticket_id):
        raise Fault("the ticket's id is missing or unusable", "/detail/id")
    account = "" if ticket.organization_id in (None, 0, "0") else str(ticket.organization_id)
    if not account:
        raise Fault(
            "no account: the ticket has no organization", "/detail/organization_id", "unresolved_account"
        )
    account_or_alias(account, "/detail/organization_id")
    severity = (ticket.priority or "").lower()
    return SupportEvent(
        event_id=event.id,
        tenant=sender.tenant,
        account_id=account,
        source=sender.source,
        occurred_at=sender.received_at if event.time is None else milliseconds(event.time, "/time"),
        received_at=sender.received_at,
        ticket_id=ticket_id,
        kind=kind,
        severity=severity if severity in _SEVERITIES else "unknown",
        csat=csat,
        subject=ticket.subject.replace("\0", "")[:_MAX_TEXT] if ticket.subject else None,
    )


def _kind(name: str, change: TicketChange) -> tuple[str | None, int | None]:
    if name == "created":
        return "opened", None
    if name in _DELETIONS:
        return "deleted", None
    if name == "comment_added":
        if change.comment is None:
            raise Fault("comment is missing", "/event/comment")
        if not change.comment.is_public:
            return None, None
        return "answered" if change.comment.author.is_staff else "replied", None
    if name == "csat_received":
        csat = _csat(change.satisfaction_score)
        return (None if csat is None else "rated"), csat
    current = (_TEXTS.read(change.current, "/event/current") or "").lower()
    previous = (_TEXTS.read(change.previous, "/event/previous") or "").lower()
    if name == "priority_changed":
        # A ticket without a priority ranks as normal: setting one is triage, not escalation.
        rose = _SEVERITIES.get(current, 0) > _SEVERITIES.get(previous, _SEVERITIES["normal"])
        return ("escalated" if rose else None), None
    return _status_kind(current, previous), None


def _status_kind(current: str, previous: str) -> str | None:
    if current in _ENDED or current == "deleted":
        return current if current != previous else None
    return "reopened" if previous in _ENDED and current in ("new", "open", "pending", "hold") else None


def _csat(rating: SatisfactionScore | None) -> int | None:
    score = None if rating is None else rating.score
    text = str(score).lower() if isinstance(score, str) else score
    if text in ("good", "bad"):
        return 5 if text == "good" else 1
    if isinstance(text, str):
        text = int(text) if text in ("1", "2", "3", "4", "5") else None
    return text if text is not None and 1 <= text <= 5 else None
