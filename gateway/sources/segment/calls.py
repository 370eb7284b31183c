"""
Mapping of Segment's tracking calls to usage events and account profiles. Pure.

The fields that Segment's specification reserves (ids, event, timestamp) must have its types. ``properties``
and ``traits`` are free-form: a value whose type can't be used is left out, and the call is accepted.
Source: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
import orjson

from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.http.times import milliseconds, unskewed
from gateway.outbox.accounts import account_or_alias
from gateway.sources.segment.freeform import MAX_LONG, MAX_TEXT, FreeForm, host_of, is_text
from schemas.identity.aliases import alias_of_user
from schemas.money import minor_units
from schemas.records import AccountProfile, InputEvent, UsageEvent
from schemas.times import DAY

__all__ = [
    "CALLS",
    "CALL_DECODER",
    "Batch",
    "Call",
    "call_type",
    "dead_letter_headers",
    "decode_batch",
    "record_of",
    "sent_at_of",
    "to_record",
    "topic_of",
    "user_of",
]

CALLS = ("track", "identify", "group", "page", "screen", "alias")
MAX_DURATION_MS = 366 * DAY
"""A duration or latency in a Segment call; a longer one is left out."""

_MAX_INT = 2**31 - 1

Id = str | Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None


class Context(msgspec.Struct, rename="camel"):
    """The context of a call; only its account is read."""

    group_id: Id = None


class Properties(msgspec.Struct):
    """The properties that are read; any other is ignored."""

    group_id: Id = msgspec.field(name="groupId", default=None)
    name: Any = None
    feature: Any = None
    category: Any = None
    duration_ms: Any = None
    latency_ms: Any = None
    error: Any = None


class Traits(msgspec.Struct):
    """The traits of a group that are read; any other is ignored."""

    name: Any = None
    segment: Any = None
    stage: Any = None
    owner: Any = None
    arr: Any = None
    arr_minor: Any = None
    currency: Any = None
    seats: Any = None
    domain: Any = None
    website: Any = None
    parent_id: Any = None


class Call(msgspec.Struct, rename="camel"):
    """A call of any type; which fields matter depends on the type."""

    type: str | None = None
    message_id: Id = None
    user_id: Id = None
    anonymous_id: Id = None
    previous_id: Id = None
    group_id: Id = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    timestamp: str | int | None = None
    sent_at: Any = None
    write_key: Any = None
    context: Context | None = None
    properties: Properties | None = None
    traits: Traits | None = None


class Batch(msgspec.Struct, rename="camel"):
    """Several calls; each stays raw JSON, so that a bad call does not affect the others."""

    batch: list[msgspec.Raw]
    sent_at: Any = None
    write_key: Any = None
    context: Any = None


CALL_DECODER: Decoder[Call] = Decoder(Call)
_BATCHES: Decoder[Batch] = Decoder(Batch)
_TYPE_HEADER, _SENT_AT_HEADER = "bellbuoy-call", "bellbuoy-sent-at"
_NO_PROPERTIES, _NO_TRAITS, _NO_CONTEXT = Properties(), Traits(), Context()


def decode_batch(body: bytes) -> Batch:
    """Return the batch in a body; raise Fault."""
    return _BATCHES.read(body)


def call_type(call: Call) -> str:
    """Return the type that a call in a batch names; raise Fault when it is none of CALLS."""
    if call.type not in CALLS:
        raise Fault(f"type is one of {', '.join(CALLS)}", "/type")
    return call.type


def topic_of(kind: str | None) -> str:
    """Return the topic that calls of this type are meant for."""
    return "account.profiles" if kind == "group" else "usage.events"


def sent_at_of(message: Call | Batch) -> int | None:
    """Return ``sentAt`` of a call or batch in UTC milliseconds, or ``None`` where it is not a time."""
    value = message.sent_at
    try:
        return milliseconds(value, "/sentAt") if isinstance(value, str | int) else None
    except Fault:
        return None


def record_of(
    kind: str,
    call: Call,
    raw: bytes,
    sender: Sender,
    *,
    sent_at: int | None = None,
    group: object = None,
    on_unusable: Callable[[str], object] = lambda _: None,
) -> InputEvent | None:
    """
    Return the record of a call, or ``None`` for one that says nothing about health (identify, alias).

    ``raw`` is the call's JSON, hashed where ``messageId`` is missing; ``sent_at`` is UTC milliseconds;
    ``group`` is the account in the context of the batch; ``on_unusable`` is called with the name of each
    free-form property that is left out. Usage that names no account belongs to the alias of its user.
    Raises Fault with the field at fault, reason ``unresolved_account`` where there is no ``userId`` either.
    """
    user = _id(call.user_id, "/userId")
    if user is None and (user := _id(call.anonymous_id, "/anonymousId")) is None:
        raise Fault("userId or anonymousId is missing", "/userId")
    if kind == "identify":
        return None
    if kind == "alias":
        if _id(call.previous_id, "/previousId") is None:
            raise Fault("previousId is missing", "/previousId")
        return None
    occurred_at = sender.received_at
    if call.timestamp is not None:
        occurred_at = unskewed(milliseconds(call.timestamp, "/timestamp"), sent_at, sender.received_at)
    event_id = _id(call.message_id, "/messageId") or _content_hash(raw)
    if kind == "group":
        return _profile(call, event_id, occurred_at, sender, on_unusable)
    return _usage(kind, call, event_id, occurred_at, sender, user, group, on_unusable)


def user_of(call: Call) -> str | None:
    """Return the user who made a call, or ``None`` for an anonymous one; raise Fault."""
    return _id(call.user_id, "/userId")


def dead_letter_headers(kind: str | None, sent_at: int | None) -> dict[str, bytes]:
    """Return the headers of a call's dead letter: the type, which may be in the path only, and ``sentAt``."""
    values = {_TYPE_HEADER: kind, _SENT_AT_HEADER: sent_at}
    return {name: str(value).encode() for name, value in values.items() if value is not None}


def to_record(raw: bytes, sender: Sender, headers: Mapping[str, bytes]) -> InputEvent | None:
    """Return the record of a call that became a dead letter with these headers, as ``record_of`` does."""
    call = CALL_DECODER.read(raw)
    named_by_path = call.type is None and _TYPE_HEADER in headers
    kind = headers[_TYPE_HEADER].decode() if named_by_path else call_type(call)
    sent_at = sent_at_of(call)
    if sent_at is None and _SENT_AT_HEADER in headers:
        sent_at = int(headers[_SENT_AT_HEADER])
    return record_of(kind, call, raw, sender, sent_at=sent_at)


def _usage(
    kind: str,
    call: Call,
    event_id: str,
    occurred_at: int,
    sender: Sender,
    user: str,
    group: object,
    on_unusable: Callable[[str], object],
) -> UsageEvent:
    properties = call.properties or _NO_PROPERTIES
    values = FreeForm(properties, on_unusable)
    feature = values.text("feature") or values.text("category")
    if kind == "track":
        if not call.event:
            raise Fault("event is missing", "/event")
        name = _checked_text(call.event, "/event")
    else:
        name = kind
        feature = call.name or values.text("name") or call.category or feature
        feature = feature if feature is None else _checked_text(feature, "/name")
    return UsageEvent(
        event_id=event_id,
        tenant=sender.tenant,
        account_id=_account(call, properties, group),
        source=sender.source,
        occurred_at=occurred_at,
        received_at=sender.received_at,
        user_id=user,
        name=name,
        feature=feature,
        duration_ms=values.count("duration_ms", MAX_DURATION_MS),
        error=values.flag("error"),
        latency_ms=values.count("latency_ms", MAX_DURATION_MS),
    )


def _profile(
    call: Call, event_id: str, occurred_at: int, sender: Sender, on_unusable: Callable[[str], object]
) -> AccountProfile:
    account = _id(call.group_id, "/groupId")
    if account is None:
        raise Fault("groupId is missing", "/groupId")
    traits = FreeForm(call.traits or _NO_TRAITS, on_unusable)
    currency = traits.currency("currency")
    arr = traits.count("arr_minor", MAX_LONG)
    if arr is None and (major := traits.number("arr")) is not None:
        currency = currency or "USD"
        arr = minor_units(major, currency)
    return AccountProfile(
        event_id=event_id,
        tenant=sender.tenant,
        account_id=account_or_alias(account, "/groupId"),
        source=sender.source,
        occurred_at=occurred_at,
        received_at=sender.received_at,
        name=traits.text("name"),
        segment=traits.text("segment"),
        stage=traits.text("stage"),
        owner=traits.text("owner"),
        arr_minor=arr,
        currency=currency,
        seats=traits.count("seats", _MAX_INT),
        domain=traits.text("domain") or host_of(traits.text("website")),
        parent_id=traits.account("parent_id"),
    )


def _account(call: Call, properties: Properties, group: object) -> str:
    named = (
        ((call.context or _NO_CONTEXT).group_id, "/context/groupId"),
        (call.group_id, "/groupId"),
        (properties.group_id, "/properties/groupId"),
        (group if isinstance(group, str | int) and not isinstance(group, bool) else None, ""),
    )
    for value, pointer in named:
        if value is not None and value != "":
            return account_or_alias(str(value), pointer)
    user = user_of(call)
    if user is not None and (alias := alias_of_user(user)) is not None:
        return alias
    raise Fault("no account: send context.groupId, or userId", "/context/groupId", "unresolved_account")


def _id(value: Id, pointer: str) -> str | None:
    return None if value is None or value == "" else _checked_text(str(value), pointer)


def _checked_text(value: str, pointer: str) -> str:
    if not is_text(value):
        raise Fault(f"longer than {MAX_TEXT} characters or with a NUL", pointer)
    return value


def _content_hash(raw: bytes) -> str:
    try:
        call = orjson.loads(raw)
        for transport in ("sentAt", "writeKey"):  # these differ between a call and its retry
            call.pop(transport, None)
        raw = orjson.dumps(call, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        pass  # orjson is stricter than msgspec in parts that are not read: hash the bytes as they are
    return hashlib.blake2b(raw, digest_size=16).hexdigest()
