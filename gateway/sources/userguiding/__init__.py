"""
UserGuiding: webhooks about guides that people see in a product, which become milestones of adoption. Pure.

A request has neither an id nor a time, and no signature: the secret stands in the address. What is the same
within a day of UTC is one event.

Source: https://help.userguiding.com/en/articles/5377145-webhook-integration
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.field_policy import FieldRules
from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.outbox.accounts import account_of
from gateway.sources.signatures import SharedSecret
from gateway.sources.snapshots import Id, content_id, text_id
from gateway.sources.source import WebhookSource
from schemas.records import EngagementEvent
from schemas.times import DAY

__all__ = ["SOURCE"]

_KINDS = {
    "guide started (userguiding)": "milestone_set",
    "guide completed (userguiding)": "milestone_reached",
}


class UserGuidingPayload(msgspec.Struct, rename="camel"):
    """The person, and the guide that the person saw."""

    user_id: Id = None
    guide_id: Id = None
    guide_name: str | None = None


class UserGuidingEvent(msgspec.Struct):
    """An event."""

    event: str
    payload: UserGuidingPayload


_EVENTS: Decoder[UserGuidingEvent] = Decoder(UserGuidingEvent, lax=True)


def split(body: bytes) -> list[bytes]:
    """Return the one event of a body; raise Fault."""
    _EVENTS.read(body)
    return [body]


def to_record(raw: bytes, sender: Sender, _headers: Mapping[str, bytes]) -> EngagementEvent | None:
    """Return the record of an event, or ``None`` for one that says nothing about health; raise Fault."""
    event = _EVENTS.read(raw)
    kind = _KINDS.get(event.event.lower())
    if kind is None:
        return None
    user, guide = text_id(event.payload.user_id), event.payload.guide_name or text_id(event.payload.guide_id)
    if guide is None:
        raise Fault("the guide has neither a name nor an id", "/payload/guideName")
    return EngagementEvent(
        event_id=content_id(raw, str(sender.received_at // DAY)),
        tenant=sender.tenant,
        account_id=account_of("/payload/userId", user=user),
        source=sender.source,
        occurred_at=sender.received_at,
        received_at=sender.received_at,
        user_id=user,
        kind=kind,
        name=guide.replace("\0", "")[:256],
    )


SOURCE = WebhookSource(
    name="userguiding",
    title="UserGuiding",
    topic="engagement.events",
    signature_scheme=SharedSecret,
    split=split,
    to_record=to_record,
    fields=FieldRules(
        needed=("/event",),
        kept=(
            "/payload/userId",
            "/payload/guideId",
            "/payload/guideName",
        ),
        dropped=("/payload/pageUrl",),
    ),
    demo_secret="userguiding-demo",  # noqa: S106 - published
)
