"""
Translation of PostHog's events into Segment's calls, which are mapped already. Pure.

A group of the event (``$groups``) is its account, ``$groupidentify`` is a group call. What a product calls
its accounts differs, so the first of ACCOUNT_GROUPS counts, or the only group that there is.
Source: https://posthog.com/docs/api/capture and https://posthog.com/docs/product-analytics/group-analytics
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.http.times import milliseconds
from gateway.sources.segment.calls import CALL_DECODER, Call, Empty, Id, check_count
from gateway.sources.segment.records import dead_letter_headers, record_of, sent_by, user_of
from schemas.records import InputEvent

__all__ = [
    "ACCOUNT_GROUPS",
    "call_of",
    "events_in",
    "headers_kept",
    "key_in",
    "record_of_event",
    "sent_at_in",
    "to_record",
]

ACCOUNT_GROUPS = ("company", "organization", "account", "customer", "workspace", "team")
"""Names of groups that are accounts, the first of them first."""

_SILENT = frozenset(
    {
        "$identify",
        "$set",
        "$create_alias",
        "$merge_dangerously",
        "$feature_flag_called",
        "$pageleave",
        "$opt_in",
        "$unset",
        "$snapshot",
        "$web_vitals",
        "$$heatmap",
        "$performance_event",
        "$csp_violation",
    }
)
"""PostHog's own events that say nothing about use."""

_MAX_DIGITS = 15
_PAGES = {"$pageview": "page", "$screen": "screen"}


class PosthogEvent(msgspec.Struct):
    """An event of PostHog's capture API."""

    event: str
    distinct_id: Id = None
    uuid: str | None = None
    timestamp: str | int | float | None = None
    offset: Any = None
    properties: dict[str, Any] | Empty | None = None


class _ProjectKeyed(msgspec.Struct):
    api_key: Any = None
    token: Any = None
    properties: msgspec.Raw = msgspec.Raw(b"{}")


class _TokenProperty(msgspec.Struct):
    token: Any = None


class _PosthogBody(msgspec.Struct):
    batch: list[msgspec.Raw] | None = None


class _Sent(msgspec.Struct):
    sent_at: Any = None
    sent_at_camel: Any = msgspec.field(name="sentAt", default=None)


_EVENTS: Decoder[PosthogEvent] = Decoder(PosthogEvent)
_KEYED: Decoder[_ProjectKeyed] = Decoder(_ProjectKeyed)
_TOKENS: Decoder[_TokenProperty] = Decoder(_TokenProperty)
_FIRST = json.JSONDecoder()
_BODIES: Decoder[_PosthogBody] = Decoder(_PosthogBody)
_SENT: Decoder[_Sent] = Decoder(_Sent)
_LISTS: Decoder[list[msgspec.Raw]] = Decoder(list[msgspec.Raw])


def key_in(body: bytes, longest: int) -> object:
    """
    Return the project key in a body, of a list that of its first event; nothing else is read. Raises Fault.

    The browser's library gives it as a property of each event. ``longest`` is the size of the largest event.
    """
    keyed = _KEYED.read(_first(body, longest))
    key = keyed.api_key if keyed.api_key is not None else keyed.token
    if key is None and memoryview(keyed.properties).nbytes <= longest:
        with suppress(Fault):
            key = _TOKENS.read(keyed.properties).token
    return key


def _first(body: bytes, longest: int) -> bytes:
    """Return the first event of a list, and any other body as it is; raise Fault."""
    if body.lstrip()[:1] != b"[":
        return body
    text = body.lstrip()[1 : 1 + longest].decode(errors="replace").lstrip()
    try:
        return text[: _FIRST.raw_decode(text)[1]].encode()
    except (ValueError, RecursionError) as error:
        raise Fault("a list without a first event that is JSON, or it is too long", "/0") from error


def events_in(body: bytes, most: int) -> list[bytes]:
    """Return the events of a body: a list, a batch, or its only one; raise Fault and HttpError (413)."""
    is_list = body.lstrip()[:1] == b"["
    check_count(body, most, is_list=is_list)
    batch = _LISTS.read(body) if is_list else _BODIES.read(body).batch
    return [body] if batch is None else [bytes(each) for each in batch]


def sent_at_in(body: bytes, asked: str | None) -> int | None:
    """
    Return when a body was sent (UTC milliseconds), ``None`` where that is not known; raise Fault.

    ``asked`` is the parameter ``_`` of the address, where the browser's library puts it in milliseconds.
    """
    said = None if body.lstrip()[:1] == b"[" else _SENT.read(body)
    value = None if said is None else said.sent_at or said.sent_at_camel
    if value is None and asked is not None and asked.isdecimal() and len(asked) <= _MAX_DIGITS:
        value = int(asked)
    with suppress(Fault):
        return milliseconds(value, "/sent_at") if isinstance(value, str | int | float) else None
    return None


def call_of(raw: bytes, sent_at: int) -> tuple[str | None, Call, bytes]:
    """
    Return the type of an event's Segment call (or ``None``), the call and its JSON; raise Fault.

    ``sent_at`` (UTC milliseconds) dates an event that only says how long before it happened.
    """
    event = _EVENTS.read(raw)
    properties = event.properties if isinstance(event.properties, dict) else {}
    person = event.distinct_id if event.distinct_id is not None else properties.get("distinct_id")
    if person in (None, ""):
        raise Fault("distinct_id is missing", "/distinct_id")
    at = event.timestamp if event.timestamp is not None else properties.get("timestamp")
    if at is None and isinstance(event.offset, int | float) and 0 <= event.offset <= sent_at:
        at = sent_at - round(event.offset)
    call: dict[str, Any] = {
        "messageId": event.uuid or properties.get("$insert_id"),
        "timestamp": at,
        # A group stands for itself where no person is known, as "$company_acme".
        ("anonymousId" if str(person).startswith("$") else "userId"): person,
    }
    kind: str | None = "track"
    if event.event == "$groupidentify":
        kind = "group" if _is_account(str(properties.get("$group_type"))) else None
        call |= {"groupId": properties.get("$group_key"), "traits": properties.get("$group_set") or {}}
    elif event.event in _SILENT:
        kind = None
    else:
        call |= {"context": {"groupId": _account(properties.get("$groups"))}, "event": event.event}
        kind = _PAGES.get(event.event, "track")
        if event.event == "$exception":
            properties = properties | {"error": True}
        name = properties.get("$screen_name") or properties.get("title") or properties.get("$pathname")
        call |= {"properties": properties} if kind == "track" else {"name": _short(name)}
    encoded = msgspec.json.encode(call)
    return kind, CALL_DECODER.read(encoded), encoded


def record_of_event(
    raw: bytes,
    sender: Sender,
    sent_at: int | None,
    receipt: str,
    on_unusable: Callable[[str], object],
) -> tuple[InputEvent | None, str | None]:
    """Return the record of an event and its user, both ``None`` for one that says nothing; raise Fault."""
    kind, call, encoded = call_of(raw, sender.received_at if sent_at is None else sent_at)
    if kind is None:
        return None, None
    record = record_of(kind, call, encoded, sender, sent_at=sent_at, receipt=receipt, on_unusable=on_unusable)
    return record, user_of(call)


def headers_kept(sent_at: int | None, receipt: str) -> dict[str, bytes]:
    """Return the headers of an event's dead letter: what is known of the event outside of its own JSON."""
    return dead_letter_headers(None, sent_at, receipt)


def to_record(raw: bytes, sender: Sender, headers: Mapping[str, bytes]) -> InputEvent | None:
    """Return the record of an event that became a dead letter; raise Fault."""
    receipt, sent_at = sent_by(headers)
    return record_of_event(raw, sender, sent_at, receipt, lambda _: None)[0]


def _is_account(group_type: str) -> bool:
    return group_type in ACCOUNT_GROUPS


def _account(groups: Any) -> Any:
    """Return the key of the group that is the account, ``None`` where several groups have other names."""
    if not isinstance(groups, dict):
        return None
    named = next((groups[name] for name in ACCOUNT_GROUPS if name in groups), None)
    return next(iter(groups.values())) if named is None and len(groups) == 1 else named


def _short(name: Any) -> str | None:
    return name[:256] if isinstance(name, str) and name else None
