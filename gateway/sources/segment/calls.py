"""
Segment's tracking calls as usage events and account profiles. Pure.

What the specification reserves (ids, event, timestamp) must have its type; what a product puts into
``properties`` and ``traits`` is free, so a value of a type that can't be used there is left out, not refused.
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
from gateway.http.times import milliseconds, unskewed
from gateway.outbox.accounts import account_or_alias
from gateway.outbox.dispatch import Sender
from gateway.sources.money import minor_units
from gateway.sources.segment.freeform import MAX_LONG, MAX_TEXT, FreeForm, host_of, is_text
from schemas.identity.aliases import alias_of_user
from schemas.records import AccountProfile, InputEvent, UsageEvent
from schemas.times import DAY

__all__ = [
    "CALLS",
    "CALL_DECODER",
    "Batch",
    "Call",
    "decode_batch",
    "instant",
    "record_of",
    "record_of_letter",
    "surroundings",
    "topic_of",
    "typed",
    "user_of",
]

CALLS = ("track", "identify", "group", "page", "screen", "alias")
MAX_DURATION_MS = 366 * DAY
_MAX_INT = 2**31 - 1

Id = str | Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None


class Context(msgspec.Struct, rename="camel"):
    """What surrounds a call."""

    group_id: Id = None


class Properties(msgspec.Struct):
    """The properties this service reads; any other is ignored."""

    group_id: Id = msgspec.field(name="groupId", default=None)
    name: Any = None
    feature: Any = None
    category: Any = None
    duration_ms: Any = None
    latency_ms: Any = None
    error: Any = None


class Traits(msgspec.Struct):
    """The traits of a group this service reads; any other is ignored."""

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
    """Any one call; which fields matter depends on its type."""

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
    """Several calls; each stays raw, so that one bad call spoils no other."""

    batch: list[msgspec.Raw]
    sent_at: Any = None
    write_key: Any = None
    context: Any = None


CALL_DECODER: Decoder[Call] = Decoder(Call)
_BATCHES: Decoder[Batch] = Decoder(Batch)
_KIND, _SENT_AT = "bellbuoy-call", "bellbuoy-sent-at"
_NO_PROPERTIES, _NO_TRAITS, _NO_CONTEXT = Properties(), Traits(), Context()


def decode_batch(body: bytes) -> Batch:
    """Return the batch in a body; raise Fault."""
    return _BATCHES.read(body)


def typed(call: Call) -> str:
    """Return the type of a call in a batch; raise Fault when it is none of CALLS."""
    if call.type not in CALLS:
        raise Fault(f"type is one of {', '.join(CALLS)}", "/type")
    return call.type


def topic_of(kind: str | None) -> str:
    """Return the topic a call of this type is meant for."""
    return "account.profiles" if kind == "group" else "usage.events"


def instant(value: object) -> int | None:
    """Return ``sentAt`` in UTC milliseconds, or ``None`` for what is no time."""
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
    unreadable: Callable[[str], object] = lambda _: None,
) -> InputEvent | None:
    """
    Return the record of a call, or ``None`` for one that says nothing about health (identify, alias).

    ``raw`` is the call's JSON, hashed where ``messageId`` is missing; ``sent_at`` is UTC milliseconds;
    ``group`` is the account of a surrounding batch context; ``unreadable`` hears of each free-form property
    left out. Usage that names no account belongs to the alias of its user. Raises Fault with the field at
    fault, reason ``unresolved_account`` where there is no ``userId`` either.
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
    event_id = _id(call.message_id, "/messageId") or _fingerprint(raw)
    if kind == "group":
        return _profile(call, event_id, occurred_at, sender, unreadable)
    return _usage(kind, call, event_id, occurred_at, sender, user, group, unreadable)


def user_of(call: Call) -> str | None:
    """Return the user who made a call, if known by more than an anonymous id; raise Fault."""
    return _id(call.user_id, "/userId")


def surroundings(kind: str | None, sent_at: int | None) -> dict[str, bytes]:
    """Return what must be kept beside a call that is set aside: its type, and when it was sent."""
    known = {_KIND: kind, _SENT_AT: sent_at}
    return {name: str(value).encode() for name, value in known.items() if value is not None}


def record_of_letter(raw: bytes, sender: Sender, around: Mapping[str, bytes]) -> InputEvent | None:
    """Return the record of a call that was set aside with these surroundings; otherwise as ``record_of``."""
    call = CALL_DECODER.read(raw)
    kind = around[_KIND].decode() if call.type is None and _KIND in around else typed(call)
    sent_at = instant(call.sent_at)
    if sent_at is None and _SENT_AT in around:
        sent_at = int(around[_SENT_AT])
    return record_of(kind, call, raw, sender, sent_at=sent_at)


def _usage(
    kind: str,
    call: Call,
    event_id: str,
    occurred_at: int,
    sender: Sender,
    user: str,
    group: object,
    unreadable: Callable[[str], object],
) -> UsageEvent:
    properties = call.properties or _NO_PROPERTIES
    read = FreeForm(properties, unreadable)
    feature = read.text("feature") or read.text("category")
    if kind == "track":
        if not call.event:
            raise Fault("event is missing", "/event")
        name = _bounded(call.event, "/event")
    else:
        name = kind
        feature = call.name or read.text("name") or call.category or feature
        feature = feature if feature is None else _bounded(feature, "/name")
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
        duration_ms=read.count("duration_ms", MAX_DURATION_MS),
        error=read.flag("error"),
        latency_ms=read.count("latency_ms", MAX_DURATION_MS),
    )


def _profile(
    call: Call, event_id: str, occurred_at: int, sender: Sender, unreadable: Callable[[str], object]
) -> AccountProfile:
    account = _id(call.group_id, "/groupId")
    if account is None:
        raise Fault("groupId is missing", "/groupId")
    read = FreeForm(call.traits or _NO_TRAITS, unreadable)
    currency = read.currency("currency")
    arr = read.count("arr_minor", MAX_LONG)
    if arr is None and (major := read.number("arr")) is not None:
        currency = currency or "USD"
        arr = minor_units(major, currency)
    return AccountProfile(
        event_id=event_id,
        tenant=sender.tenant,
        account_id=account_or_alias(account, "/groupId"),
        source=sender.source,
        occurred_at=occurred_at,
        received_at=sender.received_at,
        name=read.text("name"),
        segment=read.text("segment"),
        stage=read.text("stage"),
        owner=read.text("owner"),
        arr_minor=arr,
        currency=currency,
        seats=read.count("seats", _MAX_INT),
        domain=read.text("domain") or host_of(read.text("website")),
        parent_id=read.account("parent_id"),
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
    return None if value is None or value == "" else _bounded(str(value), pointer)


def _bounded(value: str, pointer: str) -> str:
    if not is_text(value):
        raise Fault(f"longer than {MAX_TEXT} characters or with a NUL", pointer)
    return value


def _fingerprint(raw: bytes) -> str:
    try:
        call = orjson.loads(raw)
        for transport in ("sentAt", "writeKey"):  # differ between a call and its retry
            call.pop(transport, None)
        raw = orjson.dumps(call, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        pass  # orjson is stricter on what this service does not read; the bytes do as well
    return hashlib.blake2b(raw, digest_size=16).hexdigest()
