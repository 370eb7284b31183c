"""What a field policy drops or hashes stands in nothing that is written; what it keeps is as it came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from gateway.field_policy import HASHED, FieldAction, FieldHasher, FieldPolicy, FieldRules

NAMES = st.sampled_from(["a", "b", "c", "e/f", "~"])
ACTIONS: st.SearchStrategy[FieldAction] = st.sampled_from(["keep", "hash", "drop"])


def tokens(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")


POINTERS = st.lists(NAMES.map(tokens), max_size=3).map(lambda names: "".join(f"/{name}" for name in names))
OTHERS = POINTERS.map(lambda pointer: f"{pointer}/*")
CHANGES = st.dictionaries(POINTERS | OTHERS, ACTIONS, max_size=8)
EVENTS = st.dictionaries(
    NAMES,
    st.recursive(
        st.none() | st.booleans() | st.just("text"),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=12,
    ),
    max_size=4,
)


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every value that is no object or list, with the names on the way to it."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from leaves(each, (*path, name))
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each, path)
    else:
        yield path, value


def numbered(value: Any, numbers: Iterator[int]) -> Any:
    """Return the same with a text of its own in place of each text."""
    if isinstance(value, dict):
        return {name: numbered(each, numbers) for name, each in value.items()}
    if isinstance(value, list):
        return [numbered(each, numbers) for each in value]
    return f"person{next(numbers)}." if value == "text" else value


def action_of(path: tuple[str, ...], said: dict[str, FieldAction]) -> FieldAction:
    """Return what becomes of a field: the action of the nearest place above that has one."""
    action: FieldAction = said.get("", "drop")
    at = ""
    known = {pointer.rpartition("/")[0] for pointer in said} | set(said)
    known |= {above for pointer in known for above in parents(pointer)}
    for name in path:
        pointer = f"{at}/{tokens(name)}"
        if pointer not in known and f"{at}/*" in known:
            pointer = f"{at}/*"
        action = said.get(pointer, action)
        at = pointer
    return action


def parents(pointer: str) -> Iterator[str]:
    while pointer:
        pointer = pointer.rpartition("/")[0]
        yield pointer


@given(EVENTS, CHANGES)
def test_each_field_becomes_what_is_said_of_it(shape: Any, said: dict[str, FieldAction]) -> None:
    event = numbered(shape, iter(range(1_000)))
    policy = FieldPolicy(FieldRules(), FieldHasher("key", "acme"), said)
    left = policy.apply(orjson.dumps(event))
    for path, value in leaves(event):
        if isinstance(value, str):
            assert (value.encode() in left) == (action_of(path, said) == "keep")
    assert left.count(HASHED.encode()) == sum(
        action_of(path, said) == "hash" for path, value in leaves(event) if isinstance(value, str)
    )
    assert policy.apply(left) == left


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_hash_is_the_same_for_the_same_and_tells_others_apart(one: str, other: str) -> None:
    hasher, elsewhere = FieldHasher("key", "acme"), FieldHasher("key", "other")
    assert hasher.hashed(one) == FieldHasher("key", "acme").hashed(one)
    assert hasher.hashed(hasher.hashed(one)) == hasher.hashed(one)
    if not one.startswith(HASHED):
        assert hasher.hashed(one) != elsewhere.hashed(one)
        assert hasher.hashed(one) != FieldHasher("another", "acme").hashed(one)
    if "@" not in one + other and one != other:
        assert hasher.hashed(one) != hasher.hashed(other)
