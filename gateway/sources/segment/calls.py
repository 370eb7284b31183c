"""
Mapping of Segment's tracking calls to usage events and account profiles. Pure.

The fields that Segment's specification reserves (ids, event, timestamp) must have its types. ``properties``
and ``traits`` are free-form: a value whose type can't be used is left out, and the call is accepted.
Source: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from typing import Any, TypeVar

import msgspec
import orjson

from gateway.http.errors import Fault, HttpError
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
    "Empty",
    "call_type",
    "check_count",
    "dead_letter_headers",
    "decode_batch",
    "group_of",
    "key_in",
    "receipt_of",
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

Id = str | int | float | None
"""An id as some JSON writers put it: also as a number, with or without a fraction of zero."""

_MIN_ID, _MAX_ID = -(2**63), 2**64 - 1
_MAX_EXACT = 2**53
"""Up to here a floating-point number is one whole number only."""

Empty = tuple[()]
"""An empty array: PHP writes an empty map so."""

_DENSE = 20
"""Commas for each call that a batch may have, above which it may hold far too many calls."""

_MAX_SMALL = 4_096
"""Bytes of a batch's own time or context; a larger one is not read."""

T = TypeVar("T")


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


class Company(msgspec.Struct):
    """The company in the traits of an identify call: the specification's names, and facts of its own."""

    id: Any = None
    name: Any = None
    own: Any = None


class Traits(msgspec.Struct):
    """The traits of a group, and the company of an identify call; any other is ignored."""

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
    company: Any = None
    own: Any = None


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
    timestamp: str | int | float | None = None
    original_timestamp: str | int | float | None = None
    sent_at: Any = None
    context: Context | Empty | None = None
    properties: Properties | Empty | None = None
    traits: Traits | Empty | None = None


class Batch(msgspec.Struct, rename="camel"):
    """Several calls; each stays raw JSON, so that a bad call does not affect the others."""

    batch: list[msgspec.Raw]
    sent_at: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    context: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class _Element:
    """An element of a batch that is counted and not read."""


class _Elements(msgspec.Struct):
    batch: list[_Element]


class _Keyed(msgspec.Struct, rename="camel"):
    write_key: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class _Named(msgspec.Struct, rename="camel"):
    """What tells an event from another one with the same content."""

    message_id: Any = None
    timestamp: Any = None
    original_timestamp: Any = None


CALL_DECODER: Decoder[Call] = Decoder(Call)
_BATCHES: Decoder[Batch] = Decoder(Batch)
_KEYED: Decoder[_Keyed] = Decoder(_Keyed)
_NAMED: Decoder[_Named] = Decoder(_Named)
_CONTEXTS: Decoder[Context] = Decoder(Context)
_TEXTS: Decoder[str] = Decoder(str)
_TIMES: Decoder[str | int] = Decoder(str | int)
_TYPE_HEADER, _SENT_AT_HEADER, _RECEIPT_HEADER = "bellbuoy-call", "bellbuoy-sent-at", "bellbuoy-receipt"
_NO_PROPERTIES, _NO_TRAITS, _NO_CONTEXT = Properties(), Traits(), Context()


def key_in(body: bytes) -> str | None:
    """
    Return the write key in a body, or ``None``; raise Fault for what is no JSON object.

    Nothing else of the body is read, so that a body without a known key costs next to nothing.
    """
    try:
        keyed = _KEYED.read(body)
    except Fault:
        # An unpaired surrogate makes the reader stop; the same text with other characters does not.
        keyed = _KEYED.read(body.replace(rb"\ud", rb"\u0").replace(rb"\uD", rb"\u0"))
    return _read_or_none(_TEXTS, keyed.write_key)


def decode_batch(body: bytes, most: int) -> Batch:
    """Return the batch in a body; raise Fault, and HttpError (413) for more than ``most`` calls."""
    check_count(body, most)
    batch = _BATCHES.read(body)
    if len(batch.batch) > most:
        raise _too_many(most)
    return batch


def check_count(body: bytes, most: int, *, is_list: bool = False) -> None:
    """
    Raise HttpError (413) where a batch, or a list of events, holds too many, at the first beyond ``most``.

    A body of tiny elements holds a hundred times as many as are allowed, and keeping each takes longer than a
    refusal may.
    """
    if body.count(b",") <= _DENSE * most:
        return
    seen = count(1)
    element = _Element()

    def counted(_type: type, _value: object) -> _Element:
        if next(seen) > most:
            raise _too_many(most)
        return element

    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # said when the batch is read
        kind: Any = list[_Element] if is_list else _Elements
        msgspec.json.Decoder(kind, dec_hook=counted).decode(body)


def _too_many(most: int) -> HttpError:
    return HttpError(413, "too_large", f"a batch has at most {most} events", "/batch")


def group_of(batch: Batch) -> Id:
    """Return the account in the context of a batch, or ``None`` where there is none that can be read."""
    context = _read_or_none(_CONTEXTS, batch.context)
    return context.group_id if context else None


def receipt_of(raw: bytes, receipt: str) -> str:
    """
    Return the receipt of a call that neither has an id nor says when it happened, else an empty text.

    Two such calls with the same content are two events, so what the gateway adds, ``receipt``, tells them
    apart.
    """
    try:
        named = _NAMED.read(raw)
    except Fault:
        return receipt
    values = (named.message_id, named.timestamp, named.original_timestamp)
    return receipt if all(value is None or value == "" for value in values) else ""


def call_type(call: Call) -> str:
    """Return the type that a call in a batch names; raise Fault when it is none of CALLS."""
    if call.type not in CALLS:
        raise Fault(f"type is one of {', '.join(CALLS)}", "/type")
    return call.type


def topic_of(kind: str | None) -> str:
    """Return the topic that calls of this type are meant for."""
    return "account.profiles" if kind in ("group", "identify") else "usage.events"


def sent_at_of(message: Call | Batch) -> int | None:
    """Return ``sentAt`` of a call or batch in UTC milliseconds, or ``None`` where it is not a time."""
    value = message.sent_at if isinstance(message, Call) else _read_or_none(_TIMES, message.sent_at)
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
    group: Id = None,
    receipt: str = "",
    on_unusable: Callable[[str], object] = lambda _: None,
) -> InputEvent | None:
    """
    Return the record of a call, or ``None`` for one that says nothing about health.

    That is an alias, and an identify call without a company. ``raw`` is the call's JSON, hashed where
    ``messageId`` is missing, together with ``receipt`` where the call doesn't say when it happened either;
    ``sent_at`` is UTC milliseconds; ``group`` is the account in the context of the batch; ``on_unusable`` is
    called with the name of each free-form property that is left out. Usage that names no account belongs to
    the alias of its user. Raises Fault with the field at fault, reason ``unresolved_account`` where there is
    no ``userId`` either.
    """
    user = _id(call.user_id, "/userId")
    if user is None and (user := _id(call.anonymous_id, "/anonymousId")) is None:
        raise Fault("userId or anonymousId is missing", "/userId")
    if kind == "alias":
        if _id(call.previous_id, "/previousId") is None:
            raise Fault("previousId is missing", "/previousId")
        return None
    occurred_at = sender.received_at
    time, pointer = call.timestamp, "/timestamp"
    if time is None or time == "":
        time, pointer = call.original_timestamp, "/originalTimestamp"
    if time is not None and time != "":
        occurred_at = unskewed(milliseconds(time, pointer), sent_at, sender.received_at)
    event_id = _id(call.message_id, "/messageId") or _content_hash(raw, receipt_of(raw, receipt))
    if kind == "identify":
        return _company(call, event_id, occurred_at, sender, on_unusable)
    if kind == "group":
        return _profile(call, event_id, occurred_at, sender, on_unusable)
    return _usage(kind, call, event_id, occurred_at, sender, user, group, on_unusable)


def user_of(call: Call) -> str | None:
    """Return the user who made a call, or ``None`` for an anonymous one; raise Fault."""
    return _id(call.user_id, "/userId")


def dead_letter_headers(kind: str | None, sent_at: int | None, receipt: str) -> dict[str, bytes]:
    """Return the headers of a call's dead letter: what is known of the call outside of its own JSON."""
    values = {_TYPE_HEADER: kind, _SENT_AT_HEADER: sent_at, _RECEIPT_HEADER: receipt or None}
    return {name: str(value).encode() for name, value in values.items() if value is not None}


def to_record(raw: bytes, sender: Sender, headers: Mapping[str, bytes]) -> InputEvent | None:
    """Return the record of a call that became a dead letter with these headers, as ``record_of`` does."""
    call = CALL_DECODER.read(raw)
    named_by_path = call.type is None and _TYPE_HEADER in headers
    kind = headers[_TYPE_HEADER].decode() if named_by_path else call_type(call)
    sent_at = sent_at_of(call)
    if sent_at is None and _SENT_AT_HEADER in headers:
        sent_at = int(headers[_SENT_AT_HEADER])
    receipt = headers.get(_RECEIPT_HEADER, b"").decode()
    return record_of(kind, call, raw, sender, sent_at=sent_at, receipt=receipt)


def _usage(
    kind: str,
    call: Call,
    event_id: str,
    occurred_at: int,
    sender: Sender,
    user: str,
    group: Id,
    on_unusable: Callable[[str], object],
) -> UsageEvent:
    properties = call.properties if isinstance(call.properties, Properties) else _NO_PROPERTIES
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
    traits = FreeForm(_traits_of(call), on_unusable)
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
        own=traits.own("own"),
    )


def _company(
    call: Call, event_id: str, occurred_at: int, sender: Sender, on_unusable: Callable[[str], object]
) -> AccountProfile | None:
    """Return the profile of the company in an identify call, which links the user to it as a group does."""
    stated = _traits_of(call).company
    if stated is None:
        return None
    try:
        company = msgspec.convert(stated, Company)
        account = account_or_alias(_id(msgspec.convert(company.id, Id), "") or "", "")
    except (Fault, msgspec.ValidationError):
        on_unusable("company")
        return None
    traits = FreeForm(company, on_unusable)
    return AccountProfile(
        event_id=event_id,
        tenant=sender.tenant,
        account_id=account,
        source=sender.source,
        occurred_at=occurred_at,
        received_at=sender.received_at,
        name=traits.text("name"),
        own=traits.own("own"),
    )


def _traits_of(call: Call) -> Traits:
    return call.traits if isinstance(call.traits, Traits) else _NO_TRAITS


def _account(call: Call, properties: Properties, group: Id) -> str:
    context = call.context if isinstance(call.context, Context) else _NO_CONTEXT
    named = (
        (context.group_id, "/context/groupId"),
        (call.group_id, "/groupId"),
        (properties.group_id, "/properties/groupId"),
        (group, ""),
    )
    for value, pointer in named:
        account = _number_as_text(value, pointer)
        if account:
            return account_or_alias(account, pointer)
    user = user_of(call)
    if user is not None and (alias := alias_of_user(user)) is not None:
        return alias
    raise Fault("no account: send context.groupId, or userId", "/context/groupId", "unresolved_account")


def _id(value: Id, pointer: str) -> str | None:
    text = _number_as_text(value, pointer)
    return _checked_text(text, pointer) if text else None


def _number_as_text(value: Id, pointer: str) -> str | None:
    """Return an id as text: 42 and 42.0 are the same id, and so are an id missing and an empty one."""
    if isinstance(value, float):
        if not value.is_integer() or abs(value) > _MAX_EXACT:
            raise Fault("an id that is a number is a whole one: send it as text", pointer)
        value = int(value)
    if isinstance(value, int) and not _MIN_ID <= value <= _MAX_ID:
        raise Fault("an id that is a number has at most 64 bits: send it as text", pointer)
    return None if value is None or value == "" else str(value)


def _checked_text(value: str, pointer: str) -> str:
    if not is_text(value):
        raise Fault(f"longer than {MAX_TEXT} characters or with a NUL", pointer)
    return value


def _read_or_none(decoder: Decoder[T], raw: msgspec.Raw) -> T | None:
    if not 0 < memoryview(raw).nbytes <= _MAX_SMALL:
        return None
    try:
        return decoder.read(raw)
    except Fault:
        return None


def _content_hash(raw: bytes, receipt: str) -> str:
    try:
        call = orjson.loads(raw)
        for transport in ("sentAt", "writeKey"):  # these differ between a call and its retry
            call.pop(transport, None)
        raw = orjson.dumps(call, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        pass  # orjson is stricter than msgspec in parts that are not read: hash the bytes as they are
    digest = hashlib.blake2b(raw, digest_size=16)
    digest.update(receipt.encode())
    return digest.hexdigest()
