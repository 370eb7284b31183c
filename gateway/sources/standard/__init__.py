"""
Standard Webhooks: requests of any sender that signs by that specification, such as one by Svix. Pure.

The type of an event is the name of an input topic, and its data are the fields of a typed event.

Source: https://github.com/standard-webhooks/standard-webhooks
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.field_policy import FieldRules
from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.sources.signatures import SignatureScheme
from gateway.sources.snapshots import header_id
from gateway.sources.source import WebhookSource
from gateway.sources.typed.form_lookup import form_of
from schemas.records import InputEvent

__all__ = ["SOURCE"]

_ID, _SVIX_ID = "webhook-id", "svix-id"
_TOPICS = (
    "usage.events",
    "support.events",
    "billing.events",
    "survey.responses",
    "engagement.events",
    "account.profiles",
)
"""The topics that a sender may write to: what happened, but not what a person decides."""


class StandardMessage(msgspec.Struct):
    """A message."""

    type: str
    data: dict[str, Any] | None = None
    timestamp: str | int | None = None


_MESSAGES: Decoder[StandardMessage] = Decoder(StandardMessage)


def split(body: bytes) -> list[bytes]:
    """Return the one message of a body; raise Fault."""
    _MESSAGES.read(body)
    return [body]


def to_record(raw: bytes, sender: Sender, headers: Mapping[str, bytes]) -> InputEvent | None:
    """Return the record of a message, or ``None`` for one of a type that is no topic; raise Fault."""
    message = _MESSAGES.read(raw)
    topic = message.type.removeprefix("bellbuoy.")
    if topic not in _TOPICS:
        return None
    known = {
        "event_id": header_id(headers, _ID if _ID in headers else _SVIX_ID, raw),
        "occurred_at": message.timestamp,
    }
    fields = {name: value for name, value in known.items() if value is not None}
    fields |= message.data or {}
    fields["source"] = sender.source
    try:
        return form_of(topic).read(msgspec.json.encode(fields), sender)
    except Fault as fault:
        raise Fault(fault.detail, f"/data{fault.pointer}", fault.reason) from fault


def _signature_scheme() -> SignatureScheme:
    from gateway.sources.standard.signature import StandardSignature  # noqa: PLC0415 - takes long to load

    return StandardSignature()


SOURCE = WebhookSource(
    name="standard",
    title="Standard Webhooks",
    topic="usage.events",
    signature_scheme=_signature_scheme,
    split=split,
    to_record=to_record,
    fields=FieldRules(
        needed=(
            "/type",
            "/timestamp",
        ),
        kept=("",),
    ),
    demo_secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",  # noqa: S106 - published
    event_headers=(_ID, _SVIX_ID),
)
