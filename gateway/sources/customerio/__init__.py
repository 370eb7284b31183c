"""
Customer.io: reporting webhooks about messages, which become engagement events. Pure.

Only metadata is read, never the content of a message. An opening says little, because mail programs open by
themselves; a click is a contact.

Source: https://docs.customer.io/journeys/webhooks
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.field_policy import FieldRules
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.http.times import seconds
from gateway.outbox.accounts import account_of
from gateway.sources.signatures import HmacScheme
from gateway.sources.snapshots import EventId, Id, Seconds, text_id
from gateway.sources.source import WebhookSource
from schemas.records import EngagementEvent

__all__ = ["SOURCE"]


class CustomerIoIdentifiers(msgspec.Struct):
    """The ids of a person."""

    id: Id = None
    email: str | None = None


class CustomerIoData(msgspec.Struct):
    """The person and the message of an event."""

    customer_id: Id = None
    recipient: str | None = None
    identifiers: CustomerIoIdentifiers | None = None


class CustomerIoEvent(msgspec.Struct):
    """An event about a message."""

    event_id: EventId
    object_type: str
    metric: str
    timestamp: Seconds
    data: CustomerIoData | None = None


_EVENTS: Decoder[CustomerIoEvent] = Decoder(CustomerIoEvent, lax=True)


def split(body: bytes) -> list[bytes]:
    """Return the one event of a body; raise Fault."""
    _EVENTS.read(body)
    return [body]


def to_record(raw: bytes, sender: Sender, _headers: Mapping[str, bytes]) -> EngagementEvent | None:
    """Return the record of an event, or ``None`` for one that says nothing about health; raise Fault."""
    event = _EVENTS.read(raw)
    if event.metric == "clicked":
        kind = "touch"
    elif event.metric == "delivered" and event.object_type == "email":
        kind = "email_sent"
    else:
        return None
    data = event.data or CustomerIoData()
    person = data.identifiers or CustomerIoIdentifiers()
    user = text_id(person.id) or text_id(data.customer_id)
    email = person.email or data.recipient
    return EngagementEvent(
        event_id=str(event.event_id),
        tenant=sender.tenant,
        account_id=account_of("/data/identifiers", user=user, email=email),
        source=sender.source,
        occurred_at=seconds(event.timestamp, "/timestamp"),
        received_at=sender.received_at,
        user_id=user or email,
        kind=kind,
    )


SOURCE = WebhookSource(
    name="customerio",
    title="Customer.io",
    topic="engagement.events",
    signature_scheme=lambda: HmacScheme(
        header="x-cio-signature", signed="v0:{time}:{body}", time_header="x-cio-timestamp"
    ),
    split=split,
    to_record=to_record,
    fields=FieldRules(
        needed=(
            "/event_id",
            "/object_type",
            "/metric",
            "/timestamp",
        ),
        kept=(
            "/data/customer_id",
            "/data/identifiers/id",
        ),
        hashed=(
            "/data/identifiers/email",
            "/data/recipient",
        ),
        dropped=(
            "/data/subject",
            "/data/content",
            "/data/href",
        ),
    ),
    demo_secret="customerio-demo",  # noqa: S106 - published
)
