"""Typed events: the records of any input topic as plain JSON, without a vendor's format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.field_policy import FieldRules
from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.sources.source import Source
from gateway.sources.typed.form_lookup import form_of
from schemas.inputs import OFFERED_TOPICS
from schemas.records import InputEvent

__all__ = ["SOURCE", "TOPIC_HEADER"]

_OBJECTS: Decoder[dict[str, Any]] = Decoder(dict[str, Any])
TOPIC_HEADER = "bellbuoy-topic"
"""The header of a dead letter that says which topic's form its event has."""


def _to_record(raw: bytes, sender: Sender, headers: Mapping[str, bytes]) -> InputEvent:
    """Return the record of an event that became a dead letter; raise Fault."""
    topic = headers.get(TOPIC_HEADER, b"").decode() or OFFERED_TOPICS[0]
    fields = _OBJECTS.read(raw)
    own = fields.pop("topic", topic)  # of an event that came among those of other topics
    if own not in OFFERED_TOPICS:
        raise Fault(f"topic is one of {', '.join(OFFERED_TOPICS)}", "/topic")
    return form_of(own).read(msgspec.json.encode(fields), sender)


SOURCE = Source(
    name="api",
    title="Typed events",
    to_record=_to_record,
    fields=FieldRules(
        needed=(
            "/event_id",
            "/account_id",
            "/occurred_at",
        ),
        kept=("",),
    ),
)
