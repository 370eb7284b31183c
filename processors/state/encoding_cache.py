"""
Cache of one account's encoded state: the bytes of what didn't change since the state was encoded last.

Most batches bring an account nothing but more usage, which changes a day's sums and a few numbers of its
state. Copying the bytes of the rest is cheaper than walking over hundreds of values, most of which have left
the processor's caches since. The bytes are those of the whole state
(``tests/property/processors/test_evaluation_cache.py``).

The encoded state is an array of fields, so the bytes of fields that stand together may be copied as one.
Which fields stand where is computed from the structs. A field that isn't named here is encoded anew every
time, so that a new one needs no change here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec

from processors.state.account import State
from processors.state.parts import Usage
from processors.state.usage_parts import FEATURES, PAST, USERS

__all__ = ["EncodingCache"]

_UNCHANGED_BY_USAGE = frozenset(
    {
        "tickets", "billing", "surveys", "engagement", "profile", "moments", "aims", "people", "heard",
        "retracted", "asked", "overrides", "link", "own", "own_counts", "notes", "tasks",
    }
)  # fmt: skip
"""Fields of a ``State`` that neither more usage nor a judgement changes."""

_encode = msgspec.msgpack.Encoder().encode


def _array_header(length: int) -> bytes:
    """Return the bytes with which msgpack begins an array of this length."""
    return _encode([None] * length)[:-length]


_RUNS = tuple(
    tuple(names)
    for unchanged, names in groupby(State.__struct_fields__, _UNCHANGED_BY_USAGE.__contains__)
    if unchanged
)
"""The unchanged fields that stand together."""

_CACHED_USAGE = {"days": ("past", "newest"), "users": ("users",), "features": ("features",)}


def _pieces() -> Iterator[str]:
    """Yield the expression of each piece of an encoded state, in the order of the fields."""
    first_of_run = {run[0]: f"runs[{number}]" for number, run in enumerate(_RUNS)}
    for name in State.__struct_fields__:
        if name == "usage":
            yield "_USAGE_HEADER"
            for each in Usage.__struct_fields__:
                yield from _CACHED_USAGE.get(each, (f"usage.{each}",))
        elif name in first_of_run:
            yield first_of_run[name]
        elif name not in _UNCHANGED_BY_USAGE:
            yield f"state.{name}"


_PIECES = tuple(_pieces())
_USAGE_HEADER = msgspec.Raw(_array_header(len(Usage.__struct_fields__)))
_STATE_HEADER = _array_header(len(State.__struct_fields__))
_PIECES_HEADER_SIZE = len(_array_header(len(_PIECES)))
_NO_BYTES = msgspec.Raw(b"")

# Generated source, as namedtuple does: naming the fields in a tuple takes 0.14 µs, an attrgetter of them 0.7.
_gather: Callable[..., tuple[Any, ...]] = eval(  # noqa: S307 - made of the names of fields only
    f"lambda state, usage, past, newest, users, features, runs: ({', '.join(_PIECES)})"
)


class EncodingCache:
    """Parts of one state as bytes; each is made when first needed, and anew once it may have changed."""

    __slots__ = ("_features", "_newest", "_past", "_runs", "_users")

    def __init__(self) -> None:
        self._past: msgspec.Raw | None = None
        self._newest: int | None = None
        self._users: msgspec.Raw | None = None
        self._features: msgspec.Raw | None = None
        self._runs: list[msgspec.Raw] | None = None

    def invalidate(self, changed_usage: int, today: int) -> None:
        """
        Drop the parts of the usage that may have changed (``processors.state.usage_parts``).

        Of the days only *today* may have, the newest one, unless PAST is among the parts.
        """
        if changed_usage & PAST or self._newest != today:
            self._past = None
        if changed_usage & USERS:
            self._users = None
        if changed_usage & FEATURES:
            self._features = None

    def encode(self, state: State) -> bytes:
        """Return the bytes of the whole state, which must be arranged."""
        usage = state.usage
        days = usage.days
        if self._past is None:
            self._newest = next(reversed(days), None)
            newest = b"" if self._newest is None else _encode(days[self._newest])
            past = _encode(days)
            self._past = msgspec.Raw(past[: len(past) - len(newest)])
        if self._users is None:
            self._users = msgspec.Raw(_encode(usage.users))
        if self._features is None:
            self._features = msgspec.Raw(_encode(usage.features))
        if self._runs is None:
            self._runs = [_encode_run(state, names) for names in _RUNS]
        pieces = _gather(
            state,
            usage,
            self._past,
            _NO_BYTES if self._newest is None else days[self._newest],
            self._users,
            self._features,
            self._runs,
        )
        return _STATE_HEADER + _encode(pieces)[_PIECES_HEADER_SIZE:]


def _encode_run(state: State, names: Sequence[str]) -> msgspec.Raw:
    """Return the bytes of fields that stand together, without the header of an array."""
    values = [getattr(state, name) for name in names]
    return msgspec.Raw(_encode(values)[len(_array_header(len(values))) :])
