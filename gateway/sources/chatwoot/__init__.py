"""
Chatwoot: webhooks about conversations and messages, which become support events. Pure.

Every event carries its conversation whole. Its id stands in a header where the release sends one, else it is
a hash of what was sent.

Source: https://www.chatwoot.com/hc/user-guide/articles/1677693021-how-to-use-webhooks
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.field_policy import FieldRules
from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.http.times import milliseconds
from gateway.outbox.accounts import account_of
from gateway.sources.signatures import HmacScheme
from gateway.sources.snapshots import Id, header_id, named_account, text_id, ticket
from gateway.sources.source import WebhookSource
from schemas.records import SupportEvent

__all__ = ["SOURCE"]

_DELIVERY = "x-chatwoot-delivery"
_SECONDS_END = 10**11


class ChatwootContact(msgspec.Struct):
    """The customer; ``identifier`` is the id in the tenant's own systems."""

    identifier: Id = None
    email: str | None = None
    custom_attributes: Any = None


class ChatwootMeta(msgspec.Struct):
    """The people of a conversation."""

    sender: ChatwootContact | None = None


class ChatwootConversation(msgspec.Struct):
    """A conversation."""

    id: Id = None
    status: str | None = None
    priority: str | None = None
    meta: ChatwootMeta | None = None
    created_at: int | float | str | None = None
    timestamp: int | float | None = None


class ChatwootEvent(msgspec.Struct):
    """An event: of a conversation it is the conversation itself, of a message it has one."""

    event: str
    conversation: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    created_at: int | float | str | None = None
    message_type: str | int | None = None
    private: bool | None = None
    content_type: str | None = None
    content_attributes: Any = None


_EVENTS: Decoder[ChatwootEvent] = Decoder(ChatwootEvent, lax=True)
_CONVERSATIONS: Decoder[ChatwootConversation | None] = Decoder(ChatwootConversation | None, lax=True)

_STATUSES = {"open": "open", "pending": "pending", "snoozed": "pending", "resolved": "solved"}
_SEVERITIES = {"low": "low", "medium": "normal", "high": "high", "urgent": "urgent"}


def split(body: bytes) -> list[bytes]:
    """Return the one event of a body; raise Fault."""
    _EVENTS.read(body)
    return [body]


def to_record(raw: bytes, sender: Sender, headers: Mapping[str, bytes]) -> SupportEvent | None:
    """Return the record of an event, or ``None`` for one that says nothing about health; raise Fault."""
    event = _EVENTS.read(raw)
    if event.event.startswith("conversation_") and "typing" not in event.event:
        conversation, pointer = _CONVERSATIONS.read(raw), ""
    elif event.event in ("message_created", "message_updated") and event.conversation is not msgspec.UNSET:
        conversation, pointer = _CONVERSATIONS.read(event.conversation, "/conversation"), "/conversation"
    else:
        return None
    if conversation is None:
        return None
    status = _STATUSES.get(conversation.status or "", "unknown")
    ticket_id = text_id(conversation.id)
    if ticket_id is None:
        raise Fault("the conversation's id is missing", f"{pointer}/id")
    contact = (
        conversation.meta.sender if conversation.meta and conversation.meta.sender else ChatwootContact()
    )
    own = contact.custom_attributes if isinstance(contact.custom_attributes, dict) else {}
    rating = _rating(event)
    at = _time(event.created_at if pointer else conversation.timestamp, f"{pointer}/created_at")
    return ticket(
        sender,
        event_id=header_id(headers, _DELIVERY, raw),
        account=account_of(
            f"{pointer}/meta/sender/identifier",
            account=named_account(own),
            user=text_id(contact.identifier),
            email=contact.email,
        ),
        ticket_id=ticket_id,
        kind=_kind(event, status) if rating is None else "rated",
        occurred_at=sender.received_at if at is None else at,
        status=status,
        severity=_SEVERITIES.get(conversation.priority or "", "unknown"),
        opened_at=_time(conversation.created_at, f"{pointer}/created_at"),
        csat=rating,
    )


_MESSAGES = {"incoming": "replied", 0: "replied", "outgoing": "answered", 1: "answered"}
"""The kind of a message by its type, as a name or as Chatwoot's number."""


def _rating(event: ChatwootEvent) -> int | None:
    """Return the rating that the customer gave in the message that asks for one."""
    said = event.content_attributes if event.content_type == "input_csat" else None
    for name in ("submitted_values", "csat_survey_response", "rating"):
        said = said.get(name) if isinstance(said, dict) else None
    return said if isinstance(said, int) and 1 <= said <= 5 else None


def _kind(event: ChatwootEvent, status: str) -> str:
    if event.event == "conversation_created":
        return "opened"
    if event.event == "conversation_deleted":
        return "deleted"
    if event.event == "message_created" and not event.private:
        return _MESSAGES.get(event.message_type, "updated")
    changed = event.event in ("conversation_status_changed", "conversation_resolved")
    return "solved" if changed and status == "solved" else "updated"


def _time(value: float | str | None, pointer: str) -> int | None:
    """Return a time that may be seconds or ISO 8601."""
    if value is None:
        return None
    if isinstance(value, str):
        return milliseconds(value, pointer)
    return milliseconds(round(value * 1000) if value < _SECONDS_END else round(value), pointer)


SOURCE = WebhookSource(
    name="chatwoot",
    title="Chatwoot",
    topic="support.events",
    signature_scheme=lambda: HmacScheme(
        header="x-chatwoot-signature",
        signed="{time}.{body}",
        prefix="sha256=",
        time_header="x-chatwoot-timestamp",
    ),
    split=split,
    to_record=to_record,
    fields=FieldRules(
        needed=(
            "/event",
            "/message_type",
            "/private",
            "/content_type",
            "/content_attributes/submitted_values/csat_survey_response/rating",
            "/id",
            "/status",
            "/priority",
            "/created_at",
            "/timestamp",
            "/conversation/id",
            "/conversation/status",
            "/conversation/priority",
            "/conversation/created_at",
            "/conversation/timestamp",
        ),
        kept=(
            "/meta/sender/identifier",
            "/meta/sender/custom_attributes/account_id",
            "/conversation/meta/sender/identifier",
            "/conversation/meta/sender/custom_attributes/account_id",
        ),
        hashed=(
            "/meta/sender/email",
            "/conversation/meta/sender/email",
        ),
        dropped=(
            "/content",
            "/sender",
            "/conversation/messages",
            "/meta/sender/name",
            "/meta/sender/phone_number",
            "/additional_attributes",
        ),
    ),
    demo_secret="chatwoot-demo",  # noqa: S106 - published
    event_headers=(_DELIVERY,),
)
