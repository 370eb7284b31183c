"""
Intercom: webhooks about conversations and companies, which become support events and links. Pure.

A notification carries its conversation whole. Two shapes are read: since version 2.0 a conversation names its
contacts, before that its user.

Source: https://developers.intercom.com/docs/webhooks/webhook-notifications
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.field_policy import FieldRules
from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.http.times import seconds
from gateway.outbox.accounts import account_of, account_or_alias
from gateway.sources.signatures import HmacScheme
from gateway.sources.snapshots import EventId, Id, Seconds, text_id, ticket
from gateway.sources.source import WebhookSource
from schemas.identity.aliases import alias_of_user
from schemas.records import AccountLink, SupportEvent

__all__ = ["SOURCE"]

_PREFIX = "conversation."


class IntercomPerson(msgspec.Struct):
    """A person: a contact, or a user of the older shape."""

    type: str | None = None
    user_id: Id = None
    external_id: Id = None
    email: str | None = None


class IntercomContacts(msgspec.Struct):
    """The people on the customer's side."""

    contacts: list[IntercomPerson] | None = None


class IntercomOrigin(msgspec.Struct):
    """The message that began a conversation."""

    subject: str | None = None
    author: IntercomPerson | None = None


class IntercomRating(msgspec.Struct):
    """A customer's rating of a conversation, 1 to 5."""

    rating: int | None = None


class IntercomConversation(msgspec.Struct):
    """A conversation."""

    id: Id = None
    created_at: Seconds | None = None
    updated_at: Seconds | None = None
    state: str | None = None
    priority: Any = None
    user: IntercomPerson | None = None
    contacts: IntercomContacts | None = None
    source: IntercomOrigin | None = None
    conversation_message: IntercomOrigin | None = None
    conversation_rating: IntercomRating | None = None


class IntercomCompany(msgspec.Struct):
    """A company; ``company_id`` is its id in the tenant's own systems."""

    company_id: Id = None


class IntercomAttachment(msgspec.Struct):
    """A contact that was attached to a company."""

    company: IntercomCompany
    contact: IntercomPerson


class IntercomData(msgspec.Struct):
    """The object of a notification."""

    item: msgspec.Raw


class IntercomNotification(msgspec.Struct):
    """A notification."""

    id: EventId
    topic: str
    created_at: Seconds
    data: IntercomData


_NOTIFICATIONS: Decoder[IntercomNotification] = Decoder(IntercomNotification, lax=True)
_PINGS: Decoder[dict[str, Any]] = Decoder(dict[str, Any])
_CONVERSATIONS: Decoder[IntercomConversation] = Decoder(IntercomConversation, lax=True)
_ATTACHMENTS: Decoder[IntercomAttachment] = Decoder(IntercomAttachment, lax=True)

_STATUSES = {"open": "open", "snoozed": "pending", "closed": "closed"}
_SEVERITIES = {"priority": "high", "not_priority": "normal", True: "high", False: "normal"}
_KINDS = {
    "user.created": "opened",
    "contact.created": "opened",
    "user.replied": "replied",
    "contact.replied": "replied",
    "admin.replied": "answered",
    "operator.replied": "answered",
    "admin.closed": "solved",
    "admin.opened": "reopened",
    "rating.added": "rated",
    "deleted": "deleted",
}
"""The kind of an event by the end of its topic; any other only says the conversation again."""

_OUTREACH = ("admin.single.created",)
"""Topics of messages that the team began; they are no requests for support."""


def split(body: bytes) -> list[bytes]:
    """Return the one notification of a body, none for a test of the address; raise Fault."""
    if _PINGS.read(body).get("topic") == "ping":
        return []
    _NOTIFICATIONS.read(body)
    return [body]


def to_record(raw: bytes, sender: Sender, _headers: Mapping[str, bytes]) -> SupportEvent | AccountLink | None:
    """Return the record of a notification, ``None`` if it says nothing about health; raise Fault."""
    said = _NOTIFICATIONS.read(raw)
    if said.topic == "company.contact.attached":
        return _link(_ATTACHMENTS.read(said.data.item, "/data/item"), said, sender)
    name = said.topic.removeprefix(_PREFIX)
    if name == said.topic or name in _OUTREACH:
        return None
    conversation = _CONVERSATIONS.read(said.data.item, "/data/item")
    kind = _KINDS.get(name, "updated")
    rating = conversation.conversation_rating.rating if conversation.conversation_rating else None
    if kind == "rated" and rating not in range(1, 6):
        kind = "updated"
    ticket_id = text_id(conversation.id)
    if ticket_id is None:
        raise Fault("the conversation's id is missing", "/data/item/id")
    person = _person(conversation)
    origin = conversation.source or conversation.conversation_message or IntercomOrigin()
    at = conversation.updated_at or said.created_at
    return ticket(
        sender,
        event_id=str(said.id),
        account=account_of(
            "/data/item/contacts",
            user=text_id(person.external_id) or text_id(person.user_id),
            email=person.email,
        ),
        ticket_id=ticket_id,
        kind=kind,
        occurred_at=seconds(at, "/data/item/updated_at"),
        status=_STATUSES.get(conversation.state or "", "unknown"),
        severity=_SEVERITIES.get(conversation.priority, "unknown")
        if isinstance(conversation.priority, str | bool)
        else "unknown",
        opened_at=None if conversation.created_at is None else conversation.created_at * 1000,
        subject=origin.subject,
        csat=rating if kind == "rated" else None,
    )


_TEAM = ("admin", "bot", "team", "operator")
"""Types of authors who are on our side: they name no customer."""


def _person(conversation: IntercomConversation) -> IntercomPerson:
    """Return who of the customer's side a conversation is with."""
    if conversation.contacts and conversation.contacts.contacts:
        first = conversation.contacts.contacts[0]
        author = conversation.source.author if conversation.source else None
        if author is not None and author.type in _TEAM:
            author = None
        return first if first.external_id or not author else author
    return conversation.user or IntercomPerson()


def _link(attachment: IntercomAttachment, said: IntercomNotification, sender: Sender) -> AccountLink | None:
    """Return the link from a contact to its company's account, where both have ids of the tenant's own."""
    account, user = text_id(attachment.company.company_id), text_id(attachment.contact.external_id)
    alias = alias_of_user(user) if user else None
    if account is None or alias is None:
        return None
    return AccountLink(
        event_id=str(said.id),
        tenant=sender.tenant,
        account_id=alias,
        source=sender.source,
        occurred_at=seconds(said.created_at, "/created_at"),
        received_at=sender.received_at,
        into=account_or_alias(account, "/data/item/company/company_id"),
    )


SOURCE = WebhookSource(
    name="intercom",
    title="Intercom",
    topic="support.events",
    signature_scheme=lambda: HmacScheme(header="x-hub-signature", digest="sha1", prefix="sha1="),
    split=split,
    to_record=to_record,
    fields=FieldRules(
        needed=(
            "/id",
            "/topic",
            "/created_at",
            "/data/item/id",
            "/data/item/created_at",
            "/data/item/updated_at",
            "/data/item/state",
            "/data/item/priority",
            "/data/item/conversation_rating/rating",
            "/data/item/company/company_id",
            "/data/item/source/author/type",
        ),
        kept=(
            "/data/item/user/external_id",
            "/data/item/user/user_id",
            "/data/item/contacts/contacts/external_id",
            "/data/item/contacts/contacts/user_id",
            "/data/item/source/author/external_id",
            "/data/item/source/author/user_id",
            "/data/item/contact/external_id",
        ),
        hashed=(
            "/data/item/user/email",
            "/data/item/contacts/contacts/email",
            "/data/item/source/author/email",
        ),
        dropped=(
            "/data/item/source/subject",
            "/data/item/source/body",
            "/data/item/conversation_message",
            "/data/item/conversation_parts",
            "/data/item/conversation_rating/remark",
        ),
    ),
    demo_secret="intercom-demo",  # noqa: S106 - published
)
