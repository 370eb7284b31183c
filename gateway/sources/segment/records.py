"""
Mapping of Segment's tracking calls to usage events and account profiles. Pure.

``properties`` and ``traits`` are free-form: a value whose type can't be used is left out, and the call is
accepted.
Source: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import orjson

from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.http.times import milliseconds, unskewed
from gateway.outbox.accounts import account_or_alias
from gateway.sources.segment.calls import (
    CALL_DECODER,
    Call,
    Company,
    Context,
    Id,
    Properties,
    Traits,
    call_type,
    sent_at_of,
)
from gateway.sources.segment.freeform import MAX_LONG, MAX_TEXT, FreeForm, host_of, is_text
from schemas.identity.aliases import alias_of_user
from schemas.money import minor_units
from schemas.records import AccountProfile, InputEvent, UsageEvent
from schemas.times import DAY

__all__ = ["dead_letter_headers", "receipt_of", "record_of", "sent_by", "to_record", "user_of"]

MAX_DURATION_MS = 366 * DAY
"""A duration or latency in a Segment call; a longer one is left out."""

_MAX_INT = 2**31 - 1
_MIN_ID, _MAX_ID = -(2**63), 2**64 - 1
_MAX_EXACT = 2**53
"""Up to here a floating-point number is one whole number only."""


class _Named(msgspec.Struct, rename="camel"):
    """What tells an event from another one with the same content."""

    message_id: Any = None
    timestamp: Any = None
    original_timestamp: Any = None


_NAMED: Decoder[_Named] = Decoder(_Named)
_TYPE_HEADER, _SENT_AT_HEADER, _RECEIPT_HEADER = "bellbuoy-call", "bellbuoy-sent-at", "bellbuoy-receipt"
_NO_PROPERTIES, _NO_TRAITS, _NO_CONTEXT = Properties(), Traits(), Context()


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


def sent_by(headers: Mapping[str, bytes]) -> tuple[str, int | None]:
    """Return the receipt in the headers of a dead letter, and when its request was sent, if it was said."""
    sent_at = int(headers[_SENT_AT_HEADER]) if _SENT_AT_HEADER in headers else None
    return headers.get(_RECEIPT_HEADER, b"").decode(), sent_at


def to_record(raw: bytes, sender: Sender, headers: Mapping[str, bytes]) -> InputEvent | None:
    """Return the record of a call that became a dead letter with these headers, as ``record_of`` does."""
    call = CALL_DECODER.read(raw)
    named_by_path = call.type is None and _TYPE_HEADER in headers
    kind = headers[_TYPE_HEADER].decode() if named_by_path else call_type(call)
    receipt, sent_at = sent_by(headers)
    own = sent_at_of(call)
    sent_at = sent_at if own is None else own
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
