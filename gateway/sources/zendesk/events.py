"""
Zendesk's ticket events as support events. Pure.

Source: https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/ (ids are strings,
statuses and priorities upper case; other spellings are read as well).
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.times import milliseconds
from gateway.outbox.accounts import account_or_alias
from gateway.outbox.dispatch import Sender
from schemas.identity.keys import valid_account
from schemas.records import SupportEvent

__all__ = ["ZendeskEvent", "decode_event", "support_event"]

_TYPE = "zen:event-type:ticket."
_MAX_TEXT = 4_096

Id = str | Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None


class Detail(msgspec.Struct):
    """The ticket, as it is after the event."""

    id: Id = None
    organization_id: Id = None
    priority: str | None = None
    subject: str | None = None
    tags: list[str] | None = None


class Author(msgspec.Struct):
    """Who wrote a comment."""

    is_staff: bool


class Comment(msgspec.Struct):
    """A comment; its text is not read."""

    author: Author
    is_public: bool = True


class Satisfaction(msgspec.Struct):
    """A rating: GOOD or BAD, or a number from 1 to 5."""

    score: str | int | None = None


class Change(msgspec.Struct):
    """What happened to the ticket; which fields are there depends on the type."""

    current: msgspec.Raw = msgspec.Raw(b"null")
    previous: msgspec.Raw = msgspec.Raw(b"null")
    comment: Comment | None = None
    satisfaction_score: Satisfaction | None = None


class ZendeskEvent(msgspec.Struct):
    """An event of an event-subscribed webhook."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    type: str
    detail: msgspec.Raw = msgspec.Raw(b"{}")
    event: msgspec.Raw = msgspec.Raw(b"{}")
    time: str | None = None


_EVENTS: Decoder[ZendeskEvent] = Decoder(ZendeskEvent)
_DETAILS: Decoder[Detail] = Decoder(Detail)
_CHANGES: Decoder[Change] = Decoder(Change)
_WORDS: Decoder[str | None] = Decoder(str | None)

_SEVERITIES = {"low": 1, "normal": 2, "high": 3, "urgent": 4}
_OVER = ("solved", "closed")
_MERGED = "closed_by_merge"
"""The tag Zendesk puts on a ticket it closes because it was merged into another."""

_DELETIONS = ("soft_deleted", "permanently_deleted", "marked_as_spam")
_READ = ("created", "status_changed", "priority_changed", "comment_added", "csat_received", *_DELETIONS)


def decode_event(body: bytes) -> ZendeskEvent:
    """Return the event in a body; raise Fault, as for the payload of a trigger, which has no type."""
    return _EVENTS.read(body)


def support_event(event: ZendeskEvent, sender: Sender) -> SupportEvent | None:
    """
    Return the record of an event, or ``None`` for one that says nothing about health.

    Raises Fault with a pointer into the event, reason ``unresolved_account`` for a ticket without
    an organization.
    """
    name = event.type.removeprefix(_TYPE)
    if name not in _READ or name == event.type:
        return None
    try:
        detail = _DETAILS.read(event.detail)
    except Fault as fault:
        raise Fault(fault.detail, "/detail" + fault.pointer) from fault
    try:
        kind, csat = _kind(name, _CHANGES.read(event.event))
    except Fault as fault:
        raise Fault(fault.detail, "/event" + fault.pointer) from fault
    if kind is None:
        return None
    if kind in _OVER and _MERGED in (detail.tags or ()):
        kind = "merged"
    ticket = "" if detail.id is None else str(detail.id)
    if not valid_account(ticket):
        raise Fault("the ticket's id is missing or unusable", "/detail/id")
    account = "" if detail.organization_id in (None, 0, "0") else str(detail.organization_id)
    if not account:
        raise Fault(
            "no account: the ticket has no organization", "/detail/organization_id", "unresolved_account"
        )
    account_or_alias(account, "/detail/organization_id")
    severity = (detail.priority or "").lower()
    return SupportEvent(
        event_id=event.id,
        tenant=sender.tenant,
        account_id=account,
        source=sender.source,
        occurred_at=sender.received_at if event.time is None else milliseconds(event.time, "/time"),
        received_at=sender.received_at,
        ticket_id=ticket,
        kind=kind,
        severity=severity if severity in _SEVERITIES else "unknown",
        csat=csat,
        subject=detail.subject.replace("\0", "")[:_MAX_TEXT] if detail.subject else None,
    )


def _kind(name: str, change: Change) -> tuple[str | None, int | None]:
    if name == "created":
        return "opened", None
    if name in _DELETIONS:
        return "deleted", None
    if name == "comment_added":
        if change.comment is None:
            raise Fault("comment is missing", "/comment")
        if not change.comment.is_public:
            return None, None
        return "answered" if change.comment.author.is_staff else "replied", None
    if name == "csat_received":
        csat = _csat(change.satisfaction_score)
        return (None if csat is None else "rated"), csat
    current, previous = _word(change.current, "/current"), _word(change.previous, "/previous")
    if name == "priority_changed":
        # A ticket without a priority ranks as normal: setting one is triage, not escalation.
        rose = _SEVERITIES.get(current, 0) > _SEVERITIES.get(previous, _SEVERITIES["normal"])
        return ("escalated" if rose else None), None
    return _status(current, previous), None


def _status(current: str, previous: str) -> str | None:
    if current in _OVER or current == "deleted":
        return current if current != previous else None
    return "reopened" if previous in _OVER and current in ("new", "open", "pending", "hold") else None


def _csat(rating: Satisfaction | None) -> int | None:
    score = None if rating is None else rating.score
    text = str(score).lower() if isinstance(score, str) else score
    if text in ("good", "bad"):
        return 5 if text == "good" else 1
    if isinstance(text, str):
        text = int(text) if text in ("1", "2", "3", "4", "5") else None
    return text if text is not None and 1 <= text <= 5 else None


def _word(raw: msgspec.Raw, pointer: str) -> str:
    try:
        return (_WORDS.read(raw) or "").lower()
    except Fault as fault:
        raise Fault(fault.detail, pointer) from fault
