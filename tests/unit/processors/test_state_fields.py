"""Every field of a state is merged, bounded and given back from bytes, a new one as well."""

from __future__ import annotations

import types
from typing import Any, Union, get_args, get_origin

import msgspec
import pytest

from processors.merging.merge import merge
from processors.observe import bound
from processors.observe.billing import TERMS
from processors.state.account import DECIDED, Billing, State, Subscription, Ticket, Usage
from processors.state.encoding import decode_state, encode_state
from processors.state.encoding_cache import EncodingCache
from processors.state.parts import SNAPSHOT

RECIPE = """

A field of a state is encoded, decoded and sorted by itself. Where it applies, write by hand:

1. processors/merging/merge.py: what becomes of two accounts' values, in whatever order they are merged.
   A decision is not merged: name it in DECIDED of processors/state/account.py.
2. processors/observe/bounds.py: bound, how many entries it may have; evict, when an entry is too old.
3. processors/fold/due.py: when time alone changes what a measure makes of it.
4. processors/state/encoding_cache.py: _UNCHANGED_BY_USAGE, if neither usage nor a judgement changes it.
5. tests/property/streams/test_recorded_bytes.py: the changelog's digest, which a longer state changes.
"""

IDENTITY = {"tenant", "account_id", "applied", "link", "deleted_at"}
EVIDENCE = [name for name in State.__struct_fields__ if name not in {*IDENTITY, *DECIDED}]

KEYS_ARE_FEW = {
    "engagement": "kinds of the schema",
    "profile": "fields of the schema",
    "episodes": "rules",
    "heard": "topics",
    "overrides": "the score and measures",
    "days": "days of the ring: evict",
    "weeks": "weeks of a year: evict",
    "samples": "measures whose change rules ask, 8 at most",
}
"""Dicts without a bound of their own, and what their keys are."""

BLANK = {Ticket: {"opened_at": 2**40}, Subscription: {"terms_at": {}}}
"""Defaults that would win over a value."""


SAID_BY_SNAPSHOT = {
    Ticket: {"status": (7, SNAPSHOT), "severity_at": (7, SNAPSHOT)},
    Subscription: {"status_at": (7, SNAPSHOT), "terms_at": dict.fromkeys(sorted(TERMS), (7, SNAPSHOT))},
}
"""The stamps of what the newest snapshot says, which merging looks up there again."""


def filled(kind: Any) -> Any:
    """Return a value of this type that differs from every default, also in each field of a struct."""
    origin, of = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return filled(next(each for each in of if each is not type(None)))
    if origin is dict:
        return {filled(of[0]): filled(of[1])}
    if origin is list:
        return [filled(of[0])]
    if origin is tuple:
        return tuple(map(filled, of))
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        values = {field.name: filled(field.type) for field in msgspec.structs.fields(kind)}
        if "open" in values:
            values["open"] = False
        return kind(**values | SAID_BY_SNAPSHOT.get(kind, {}))
    return {int: 7, str: "x", float: 0.5, bool: True}[kind]


def blank(kind: Any, like: Any) -> Any:
    """Return the default of a value: the same keys, and structs whose fields have their defaults."""
    if isinstance(like, msgspec.Struct):
        dicts = {
            field.name: blank(field.type, value)
            for field in msgspec.structs.fields(type(like))
            if isinstance(value := getattr(like, field.name), dict)
        }
        return type(like)(**dicts | BLANK.get(type(like), {}))
    if isinstance(like, dict) and all(isinstance(value, msgspec.Struct) for value in like.values()):
        return {key: blank(None, value) for key, value in like.items()}
    return type(like)()


@pytest.mark.parametrize("name", EVIDENCE)
def test_merging_keeps_it(name: str) -> None:
    other = filled(State)
    expected = getattr(filled(State), name)
    state = State()
    setattr(state, name, blank(None, expected))
    merge(state, other)
    assert getattr(state, name) == expected, f"State.{name} is lost when accounts are merged.{RECIPE}"


DICTS = [
    (of, field.name)
    for of in (State, Usage, Billing)
    for field in msgspec.structs.fields(of)
    if get_origin(field.type) is dict and field.name not in KEYS_ARE_FEW
]


@pytest.mark.parametrize(("of", "name"), DICTS, ids=lambda value: getattr(value, "__name__", value))
def test_a_flood_is_bounded(of: type, name: str) -> None:
    state = State()
    owner = {State: state, Usage: state.usage, Billing: state.billing}[of]
    [field] = [field for field in msgspec.structs.fields(of) if field.name == name]
    key, value = get_args(field.type)
    flood = {key(number): filled(value) for number in range(20_001)}
    setattr(owner, name, flood)
    bound(state)
    assert len(getattr(owner, name)) < len(flood), f"{of.__name__}.{name} grows without end.{RECIPE}"


def test_every_field_comes_back_from_bytes() -> None:
    assert decode_state(encode_state(filled(State))) == filled(State)


def test_the_encoding_cache_leaves_no_field_out() -> None:
    cache, state = EncodingCache(), filled(State)
    expected = encode_state(state)
    assert cache.encode(state) == expected  # the parts are made
    assert cache.encode(state) == expected  # the parts are copied


def test_every_field_has_a_default() -> None:
    """So that bytes of older builds, which end before it, stay readable."""
    assert all(not field.required for field in msgspec.structs.fields(State))
