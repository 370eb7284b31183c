"""
CloudEvents 1.0 over HTTP, and their mapping to records. Pure.

An event whose type is an input topic has the fields of a typed event in its data. Any other is a usage event:
its type is what happened, its subject the account.
Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec
import orjson

from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.sources.typed.form_lookup import form_of
from schemas.inputs import OFFERED_TOPICS
from schemas.records import InputEvent

__all__ = ["binary", "structured", "to_record", "topic_of"]

_USAGE = "usage.events"
_ESCAPED = re.compile(r"\\(.)")
_USAGE_FIELDS = ("user_id", "feature", "duration_ms", "error", "latency_ms")

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class CloudEvent(msgspec.Struct):
    """A CloudEvent in JSON; attributes that are not read are ignored."""

    specversion: str
    id: Name
    source: Name
    type: Name
    subject: str | None = None
    time: str | None = None
    data: Any = None
    data_base64: str | None = None


_EVENTS: Decoder[CloudEvent] = Decoder(CloudEvent)
_BATCHES: Decoder[list[msgspec.Raw]] = Decoder(list[msgspec.Raw])


def structured(body: bytes, media_type: str) -> list[bytes] | None:
    """Return the events of a structured or batched body, ``None`` for another mode; raise Fault."""
    if media_type == "application/cloudevents-batch+json":
        return [bytes(raw) for raw in _BATCHES.read(body)]
    return [body] if media_type == "application/cloudevents+json" else None


def binary(headers: Mapping[str, str], body: bytes) -> bytes:
    """Return an event whose attributes are headers in the structured mode; raise Fault."""
    attributes: dict[str, Any] = {
        name[3:]: unquote(_unquoted(value)) for name, value in headers.items() if name.startswith("ce-")
    }
    if "specversion" not in attributes:
        raise Fault(
            "no CloudEvent: send Content-Type application/cloudevents+json or "
            "application/cloudevents-batch+json, or the headers ce-specversion, ce-id, ce-source and ce-type"
        )
    if body:
        try:
            attributes["data"] = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Fault(f"the data are not JSON: {error}", "/data") from error
    return orjson.dumps(attributes)


def _unquoted(value: str) -> str:
    """Return the value of a header, also of one in double quotes."""
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    return _ESCAPED.sub(r"\1", value[1:-1])


def topic_of(raw: bytes) -> str:
    """Return the topic that an event is meant for; usage where it can't be read."""
    try:
        return _topic(_EVENTS.read(raw))
    except Fault:
        return _USAGE


def to_record(raw: bytes, sender: Sender, _headers: Mapping[str, bytes]) -> InputEvent:
    """Return the record of an event in JSON; raise Fault with the pointer of the field at fault."""
    event = _EVENTS.read(raw)
    if event.specversion != "1.0":
        raise Fault("specversion is 1.0", "/specversion")
    data = _data(event)
    topic = _topic(event)
    known = {
        "event_id": event.id,
        "account_id": event.subject,
        "occurred_at": event.time,
        "source": event.source,
    }
    fields: dict[str, Any] = {name: value for name, value in known.items() if value is not None}
    if topic in (event.type, event.type.removeprefix("bellbuoy.")):
        fields |= data
    else:
        fields |= {"name": event.type} | {name: data[name] for name in _USAGE_FIELDS if name in data}
        fields["account_id"] = data.get("account_id") or fields.get("account_id")
    pointers = {"/event_id": "/id", "/occurred_at": "/time", "/source": "/source"}
    if not isinstance(data.get("account_id"), str):
        pointers["/account_id"] = "/subject"
    try:
        return form_of(topic).read(orjson.dumps(fields), sender)
    except Fault as fault:
        pointer = pointers.get(fault.pointer, f"/data{fault.pointer}")
        raise Fault(fault.detail, pointer, fault.reason) from fault


def _topic(event: CloudEvent) -> str:
    named = event.type.removeprefix("bellbuoy.")
    return named if named in OFFERED_TOPICS else _USAGE


def _data(event: CloudEvent) -> dict[str, Any]:
    data = event.data
    if event.data_base64 is not None:
        try:
            data = orjson.loads(base64.b64decode(event.data_base64, validate=True))
        except (binascii.Error, ValueError) as error:
            raise Fault("data_base64 is not JSON in base64", "/data_base64") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise Fault("the data are not a JSON object", "/data")
    return data
