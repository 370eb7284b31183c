"""
Tracking calls of Segment, alone or in a batch, and what of a body is read before all of it. Pure.

The fields that Segment's specification reserves (ids, event, timestamp) must have its types.
Source: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/
"""

from __future__ import annotations

from codecs import BOM_UTF8
from contextlib import suppress
from itertools import count
from typing import Any, TypeVar

import msgspec

from gateway.http.errors import Fault, HttpError
from gateway.http.json_decoding import Decoder
from gateway.http.times import milliseconds

__all__ = [
    "CALLS",
    "CALL_DECODER",
    "Batch",
    "Call",
    "Company",
    "Context",
    "Empty",
    "Id",
    "Properties",
    "Traits",
    "call_type",
    "check_count",
    "decode_batch",
    "group_of",
    "key_in",
    "sent_at_of",
    "topic_of",
]

CALLS = ("track", "identify", "group", "page", "screen", "alias")
Id = str | int | float | None
"""An id as some JSON writers put it: also as a number, with or without a fraction of zero."""

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


CALL_DECODER: Decoder[Call] = Decoder(Call)
_BATCHES: Decoder[Batch] = Decoder(Batch)
_KEYED: Decoder[_Keyed] = Decoder(_Keyed)
_CONTEXTS: Decoder[Context] = Decoder(Context)
_TEXTS: Decoder[str] = Decoder(str)
_TIMES: Decoder[str | int] = Decoder(str | int)


def key_in(body: bytes) -> str | None:
    """
    Return the write key in a body, or ``None``; raise Fault for what is no JSON object.

    Nothing else of the body is read, so that a body without a known key costs next to nothing.
    """
    try:
        keyed = _KEYED.read(body)
    except Fault:
        # An unpaired surrogate makes the reader stop; the same text with other characters does not.
        text = body.removeprefix(BOM_UTF8)
        keyed = _KEYED.read(text.replace(rb"\ud", rb"\u0").replace(rb"\uD", rb"\u0"))
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


def _read_or_none(decoder: Decoder[T], raw: msgspec.Raw) -> T | None:
    if not 0 < memoryview(raw).nbytes <= _MAX_SMALL:
        return None
    try:
        return decoder.read(raw)
    except Fault:
        return None
