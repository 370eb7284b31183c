"""
Help Scout: webhooks about conversations and their ratings, which become support events. Pure.

A header says what happened; the body is the conversation whole, or the rating. There is no id of an event,
and no time is signed, so the id is a hash of what was sent: a repetition changes nothing.

Source: https://developer.helpscout.com/webhooks
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.field_policy import FieldRules
from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.http.times import milliseconds
from gateway.outbox.accounts import account_of
from gateway.sources.signatures import HmacScheme
from gateway.sources.snapshots import Id, content_id, text_id, ticket
from gateway.sources.source import WebhookSource
from schemas.identity.aliases import alias_of_domain
from schemas.records import SupportEvent

__all__ = ["SOURCE"]

_EVENT = "x-helpscout-event"


class HelpScoutAddress(msgspec.Struct):
    """An e-mail address of a customer."""

    value: str | None = None


class HelpScoutEmbedded(msgspec.Struct):
    """The parts of a customer that the API embeds."""

    emails: list[HelpScoutAddress] | None = None


class HelpScoutPerson(msgspec.Struct):
    """A customer, or the person who began a conversation."""

    type: str | None = None
    email: str | None = None
    emails: list[HelpScoutAddress] | None = None
    embedded: HelpScoutEmbedded | None = msgspec.field(name="_embedded", default=None)


class HelpScoutConversation(msgspec.Struct, rename="camel"):
    """A conversation."""

    id: Id = None
    status: str | None = None
    state: str | None = None
    subject: str | None = None
    created_at: str | None = None
    user_updated_at: str | None = None
    primary_customer: HelpScoutPerson | None = None
    created_by: HelpScoutPerson | None = None


class HelpScoutRating(msgspec.Struct, rename="camel"):
    """A customer's rating of an answer."""

    ticket_id: Id = None
    conversation_id: Id = None
    rating: str | None = None
    customer: HelpScoutPerson | None = None
    created_at: str | None = None
    modified_at: str | None = None


_OBJECTS: Decoder[dict[str, msgspec.Raw]] = Decoder(dict[str, msgspec.Raw])
_CONVERSATIONS: Decoder[HelpScoutConversation] = Decoder(HelpScoutConversation, lax=True)
_RATINGS: Decoder[HelpScoutRating] = Decoder(HelpScoutRating, lax=True)

_STATUSES = {"active": "open", "open": "open", "pending": "pending", "closed": "closed"}
_KINDS = {
    "convo.created": "opened",
    "convo.customer.reply.created": "replied",
    "convo.agent.reply.created": "answered",
}
_RATED = {"great": 5, "okay": 3, "ok": 3, "bad": 1, "not good": 1}


def split(body: bytes) -> list[bytes]:
    """Return the one object of a body; raise Fault."""
    if "id" not in _OBJECTS.read(body):
        raise Fault("required field 'id' is missing", "/id")
    return [body]


def to_record(raw: bytes, sender: Sender, headers: Mapping[str, bytes]) -> SupportEvent | None:
    """Return the record of an event, or ``None`` for one that says nothing about health; raise Fault."""
    event = headers.get(_EVENT, b"").decode("utf-8", "replace")
    if event == "satisfaction.ratings":
        return _rated(raw, event, sender)
    conversation = _CONVERSATIONS.read(raw)
    if not event.startswith("convo."):
        return None
    status = _STATUSES.get(conversation.status or "", "unknown")
    kind = _KINDS.get(event, "updated")
    if event == "convo.deleted" or conversation.status == "spam" or conversation.state == "deleted":
        kind = "deleted"
    elif event == "convo.status" and status == "closed":
        kind = "solved"
    created = None
    if conversation.created_at:
        created = milliseconds(conversation.created_at, "/createdAt")
    occurred_at = created if event == "convo.created" else None
    if occurred_at is None and conversation.user_updated_at and kind != "replied":
        occurred_at = milliseconds(conversation.user_updated_at, "/userUpdatedAt")
    begun = conversation.created_by
    people = [conversation.primary_customer, begun if begun and begun.type == "customer" else None]
    return ticket(
        sender,
        event_id=content_id(raw, event),
        account=account_of("/primaryCustomer/email", email=_email(*people)),
        ticket_id=_ticket_id(conversation.id, "/id"),
        kind=kind,
        occurred_at=sender.received_at if occurred_at is None else occurred_at,
        status="unknown" if kind == "deleted" else status,
        opened_at=created,
        subject=conversation.subject,
    )


def _rated(raw: bytes, event: str, sender: Sender) -> SupportEvent | None:
    rating = _RATINGS.read(raw)
    csat = _RATED.get((rating.rating or "").lower().replace("_", " "))
    if csat is None:
        return None
    at = rating.modified_at or rating.created_at
    return ticket(
        sender,
        event_id=content_id(raw, event),
        account=account_of("/customer/emails", email=_email(rating.customer)),
        ticket_id=_ticket_id(rating.conversation_id or rating.ticket_id, "/ticketId"),
        kind="rated",
        occurred_at=sender.received_at if not at else milliseconds(at, "/modifiedAt"),
        csat=csat,
    )


def _ticket_id(value: Id, pointer: str) -> str:
    ticket_id = text_id(value)
    if ticket_id is None:
        raise Fault("the conversation's id is missing", pointer)
    return ticket_id


def _addresses(person: HelpScoutPerson) -> list[HelpScoutAddress]:
    embedded = person.embedded.emails if person.embedded else None
    return [*(person.emails or ()), *(embedded or ())]


def _email(*people: HelpScoutPerson | None) -> str | None:
    """Return the first address that is of a company's domain, else any."""
    listed = [
        address
        for person in people
        if person is not None
        for address in (person.email, *(each.value for each in _addresses(person)))
        if address
    ]
    of_company = (each for each in listed if alias_of_domain(each.rpartition("@")[2]) is not None)
    return next(of_company, listed[0] if listed else None)


SOURCE = WebhookSource(
    name="helpscout",
    title="Help Scout",
    topic="support.events",
    signature_scheme=lambda: HmacScheme(header="x-helpscout-signature", digest="sha1", encoding="base64"),
    split=split,
    to_record=to_record,
    fields=FieldRules(
        needed=(
            "/id",
            "/status",
            "/state",
            "/createdAt",
            "/userUpdatedAt",
            "/modifiedAt",
            "/ticketId",
            "/conversationId",
            "/rating",
            "/primaryCustomer/type",
            "/createdBy/type",
            "/threads",
            "/_embedded/threads/id",
        ),
        hashed=(
            "/primaryCustomer/email",
            "/primaryCustomer/emails/value",
            "/primaryCustomer/_embedded/emails/value",
            "/createdBy/email",
            "/createdBy/emails/value",
            "/createdBy/_embedded/emails/value",
            "/customer/email",
            "/customer/emails/value",
            "/customer/_embedded/emails/value",
        ),
        dropped=(
            "/subject",
            "/preview",
            "/_embedded/threads/body",
            "/comments",
        ),
    ),
    demo_secret="helpscout-demo",  # noqa: S106 - published
    event_headers=(_EVENT,),
)
