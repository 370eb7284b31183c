"""
The field policy: which fields of a source's JSON are kept, hashed or dropped. Pure.

It holds before anything is written: records, dead letters and kept webhooks are made of what it leaves. A
source declares its own (``FieldRules``), minimal: what nobody named is dropped. A tenant's settings change it
(``FieldPolicy``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

import orjson

from gateway.http.errors import Fault
from gateway.http.sender import Sender

__all__ = ["HASHED", "FieldAction", "FieldHasher", "FieldPolicies", "FieldPolicy", "FieldRules", "Where"]

FieldAction: TypeAlias = Literal["keep", "hash", "drop"]
"""
What becomes of a field.

``keep``: as it came. ``hash``: a keyed hash in its place, of an e-mail address before its domain.
``drop``: it is left out.
"""

HASHED = "hashed-"
"""How a hashed value begins; such a value is hashed no second time."""

_DIGEST_BYTES = 8
_GONE: Any = object()


class Where(NamedTuple):
    """Fields kept only in events whose top-level ``field`` has one of the ``values``; ``None``: has any."""

    field: str
    values: frozenset[str] | None
    needed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRules:
    """
    The fields of a source's JSON, as JSON pointers without the numbers of list items.

    ``""`` is the whole, and ``*`` at the end every field of an object that has no pointer of its own.
    ``needed`` are kept whatever a tenant says, because the mapping can't do without; ``kept`` and ``hashed``
    unless it says otherwise. A pointer holds for all below it that has none of its own. What has no pointer
    is dropped; ``dropped`` names what lies below a kept one, or what a tenant may want to keep.
    """

    needed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    hashed: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    where: tuple[Where, ...] = ()

    def actions(self) -> Iterator[tuple[str, FieldAction]]:
        """Yield every named field with what becomes of it, unless it depends on the event."""
        for pointer in (*self.needed, *self.kept):
            yield pointer, "keep"
        for pointer in self.hashed:
            yield pointer, "hash"
        for pointer in self.dropped:
            yield pointer, "drop"


class FieldHasher:
    """
    A keyed hash of values, with which the same person is the same one in all sources of a tenant.

    Of an e-mail address the part before the @ is hashed; the domain stays, because it leads to the account.
    """

    def __init__(self, key: str, tenant: str) -> None:
        self._key = hashlib.sha256(key.encode()).digest()
        self._tenant = tenant.encode()

    def hashed(self, text: str) -> str:
        """Return the hash of a text, of 64 bits; an empty text, and one that is a hash, stay as they are."""
        if not text or text.startswith(HASHED):
            return text
        at = text.rpartition("@")[2].strip().lower() if "@" in text else ""
        digest = hashlib.blake2b(
            (text.strip().lower() if at else text).encode("utf-8", "replace"),
            digest_size=_DIGEST_BYTES,
            key=self._key,
            person=b"field",
        )
        digest.update(b"\0" + self._tenant)
        return f"{HASHED}{digest.hexdigest()}" + (f"@{at}" if at else "")

    def values(self, value: Any) -> Any:
        """Return a JSON value with every text and number in it hashed."""
        if isinstance(value, dict):
            return {name: self.values(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.values(each) for each in value]
        if value is None or isinstance(value, bool):
            return value
        return self.hashed(value if isinstance(value, str) else str(value))


@dataclass(slots=True)
class _Node:
    """A place in the JSON: what becomes of it, ``None`` for as of the place above, and the places below."""

    action: FieldAction | None = None
    below: dict[str, _Node] = field(default_factory=dict)

    def keeps_all(self) -> bool:
        """Tell whether neither this place nor one below changes anything of what is kept above."""
        return self.action in (None, "keep") and all(each.keeps_all() for each in self.below.values())

    def at(self, pointer: str) -> _Node:
        """Return the node of a pointer, made where it is missing."""
        node = self
        for token in pointer.split("/")[1:]:
            node = node.below.setdefault(token.replace("~1", "/").replace("~0", "~"), _Node())
        return node


class FieldPolicy:
    """
    The field policy of one source for one tenant.

    ``changed`` are what the tenant's settings say of single fields; ``hasher`` hashes.
    """

    def __init__(self, rules: FieldRules, hasher: FieldHasher, changed: Mapping[str, FieldAction]) -> None:
        self._changes = bool(changed)
        self._hasher = hasher
        self._root = _tree(rules, (), changed)
        self._where = [(each.field, each.values, _tree(rules, each.needed, changed)) for each in rules.where]
        self._keeps_all = self._root.action == "keep" and self._root.keeps_all()

    def apply(self, raw: bytes) -> bytes:
        """Return an event's JSON with what is kept of it; raise Fault for what is no JSON."""
        if self._keeps_all:
            return raw
        try:
            event = orjson.loads(raw)
            left = self._left(event, self._tree_of(event), "drop")
            return orjson.dumps(None if left is _GONE else left)
        except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError) as error:
            raise Fault("not JSON, or nested too deeply") from error

    def changed(self, raw: bytes) -> bytes:
        """
        Return what a mapping may read of an event; raise Fault for what is no JSON.

        A mapping reads nothing that the defaults of its source drop, so only a tenant's changes cost time.
        """
        return self.apply(raw) if self._changes else raw

    def apply_or_empty(self, raw: bytes) -> bytes:
        """Return what is kept of an event's JSON; nothing where it is no JSON."""
        try:
            return self.apply(raw)
        except Fault:
            return b""

    def _tree_of(self, event: Any) -> _Node:
        if isinstance(event, dict):
            for name, values, tree in self._where:
                value = event.get(name)
                if value is not None if values is None else isinstance(value, str) and value in values:
                    return tree
        return self._root

    def _left(self, value: Any, node: _Node | None, action: FieldAction) -> Any:
        """Return what is left of a value, ``_GONE`` for nothing; ``action`` is that of the place above."""
        if node is not None and node.action is not None:
            action = node.action
        if node is None or not node.below:
            if action == "hash":
                return self._hasher.values(value)
            return value if action == "keep" else _GONE
        if isinstance(value, dict):
            others = node.below.get("*")
            below = (
                (name, self._left(each, node.below.get(name, others), action)) for name, each in value.items()
            )
            return {name: each for name, each in below if each is not _GONE}
        if isinstance(value, list):
            return [each for each in (self._left(each, node, action) for each in value) if each is not _GONE]
        # A value stands where an object was expected: such a place is kept only where it is named itself.
        if action == "hash":
            return self._hasher.values(value)
        return value if action == "keep" or value is None else _GONE


class FieldPolicies:
    """
    The field policies of all sources and tenants; ``rules`` are those of the sources, by name.

    ``changed`` is what the settings say, by tenant and source. What has no rules, such as an import, is kept
    whole.
    """

    def __init__(
        self,
        rules: Mapping[str, FieldRules],
        key: str,
        changed: Mapping[str, Mapping[str, Mapping[str, FieldAction]]],
    ) -> None:
        self._rules, self._key, self._changed = rules, key, changed
        self._known: dict[tuple[str, str], FieldPolicy] = {}

    def of(self, sender: Sender) -> FieldPolicy:
        """Return the policy for what a sender sends."""
        name = sender.tenant, sender.source
        policy = self._known.get(name)
        if policy is None:
            changed = self._changed.get(sender.tenant, {}).get(sender.source, {})
            rules = self._rules.get(sender.source, _KEEPS_ALL)
            policy = self._known[name] = FieldPolicy(rules, FieldHasher(self._key, sender.tenant), changed)
        return policy


_KEEPS_ALL = FieldRules(kept=("",))


def _tree(rules: FieldRules, needed: tuple[str, ...], changed: Mapping[str, FieldAction]) -> _Node:
    root = _Node()
    for pointer, action in (*rules.actions(), *((each, "keep") for each in needed), *changed.items()):
        root.at(pointer).action = action
    return root
