"""
List of who was erased: salted hashes of accounts and people, and the times up to which.

The list names nobody, and is kept for ever, so that what is sent again after years stays out. An account is
told by a BLAKE2b hash of tenant and account, a person by one of the account and the person's ``brief``
(``processors.state.parts``), both with the salt that stands in the entry. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

__all__ = [
    "NOBODY",
    "Erasure",
    "Erasures",
    "account_digest",
    "decode_erasure",
    "encode_erasure",
    "person_digest",
]

_DIGEST_BYTES = 16


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """
    Entry of the list: what was erased of one account.

    ``erased_at`` is the event time up to which the account is erased, -1 if only people of it are; ``until``
    is the journal time up to which outputs about it are erased. ``people`` maps the hash of a person to the
    event time up to which the person is erased. Times are UTC milliseconds.
    """

    salt: bytes
    erased_at: int = -1
    until: int = -1
    people: dict[str, int] = {}

    def of_person(self, tenant: str, account_id: str, person: int) -> int:
        """Return the event time up to which a person, given by its ``brief``, is erased; -1: it isn't."""
        if not self.people:
            return -1
        return self.people.get(person_digest(self.salt, tenant, account_id, person), -1)


class Erasures:
    """The entries of the list by key, asked by account; an immutable value."""

    def __init__(self, entries: Mapping[bytes, Erasure] = MappingProxyType({})) -> None:
        self.entries = entries
        self._salts = sorted({entry.salt for entry in entries.values()})
        self._of: dict[tuple[str, str], Erasure | None] = {}

    def __bool__(self) -> bool:
        return bool(self.entries)

    @property
    def salt(self) -> bytes | None:
        """The salt with which the list goes on; ``None`` where it has none yet."""
        return self._salts[0] if self._salts else None

    def of(self, tenant: str, account_id: str) -> Erasure | None:
        """Return the entry of an account, or ``None`` where nothing of it was erased."""
        if not self.entries:
            return None
        name = tenant, account_id
        if name not in self._of:
            keys = (account_digest(salt, tenant, account_id) for salt in self._salts)
            self._of[name] = next((self.entries[key] for key in keys if key in self.entries), None)
        return self._of[name]

    def erased_at(self, tenant: str, account_id: str) -> int:
        """Return the event time up to which an account is erased; -1: it isn't."""
        entry = self.of(tenant, account_id)
        return -1 if entry is None else entry.erased_at


NOBODY = Erasures()
"""The list before anybody is erased."""


def account_digest(salt: bytes, tenant: str, account_id: str) -> bytes:
    """Return the key of an account's entry."""
    return _digest(salt, f"{tenant}\n{account_id}").encode()


def person_digest(salt: bytes, tenant: str, account_id: str, person: int) -> str:
    """Return what a person of an account, given by its ``brief``, is called in the account's entry."""
    return _digest(salt, f"{tenant}\n{account_id}\n{person}")


def encode_erasure(entry: Erasure) -> bytes:
    """Return the entry's bytes: JSON."""
    return msgspec.json.encode(entry)


def decode_erasure(data: bytes) -> Erasure:
    """Return the entry in these bytes; raise msgspec's DecodeError."""
    return msgspec.json.decode(data, type=Erasure)


def _digest(salt: bytes, text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES, key=salt).hexdigest()
