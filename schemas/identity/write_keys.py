"""
Keys of senders as they stand on the compacted topic ``gateway.keys``: a digest of each, never the key. Pure.

A key is 32 random bytes, so its plain BLAKE2b digest can't be turned back, and no slow hash is needed.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Literal, TypeAlias, get_args

import msgspec

__all__ = [
    "KEY_NAME",
    "KEY_SCOPES",
    "KeyScope",
    "WriteKey",
    "decode_key",
    "digest_of",
    "encode_key",
    "key_id",
    "new_secret",
]

KeyScope: TypeAlias = Literal["track", "server"]
"""
What a key allows.

``track``: the tracking routes. Such a key, a write key, stands in web pages and apps, where anyone can read
it. ``server``: the tracking routes and typed events. Such a key stays on the tenant's own machines.
"""

KEY_SCOPES: tuple[KeyScope, ...] = get_args(KeyScope)
"""The scopes of a key."""

KEY_NAME = r"[a-z0-9][a-z0-9_-]{0,62}"
"""The form of a key's name, which is also a label of metrics."""

_DIGEST_BYTES = 32
_ID_CHARACTERS = 12


class WriteKey(msgspec.Struct, frozen=True, kw_only=True):
    """
    One key of a sender, known by the digest of its secret.

    ``sources`` and ``topics`` are what it may send by and to; empty: all that its scope allows.
    ``per_second`` and ``per_day`` are most events, 0 for any number. ``expires_at`` and ``revoked_at`` are
    the times from which it opens nothing, 0 for none. Times are UTC milliseconds.
    """

    id: str
    tenant: str
    name: str
    digest: bytes
    scope: KeyScope = "track"
    sources: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    per_second: int = 0
    per_day: int = 0
    created_at: int = 0
    expires_at: int = 0
    revoked_at: int = 0
    author: str = ""

    def opens_at(self, now: int) -> bool:
        """Tell whether the key opens anything at a time, UTC milliseconds."""
        return all(not end or now < end for end in (self.expires_at, self.revoked_at))

    def record_key(self) -> bytes:
        """Return the key of its record on the topic."""
        return f"{self.tenant}:{self.id}".encode()


def new_secret(scope: KeyScope) -> str:
    """Return a new key; its beginning says to a scanner of secrets, and to people, what it is."""
    random = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    return f"bellbuoy_{scope}_{random}"


def digest_of(secret: str) -> bytes:
    """Return the digest by which a key is known."""
    return hashlib.blake2b(
        secret.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES, person=b"bellbuoy key"
    ).digest()


def key_id(digest: bytes) -> str:
    """Return the id of a key: the beginning of its digest, which tells nothing of the key."""
    return digest.hex()[:_ID_CHARACTERS]


def encode_key(key: WriteKey) -> bytes:
    """Return the record's bytes: JSON."""
    return msgspec.json.encode(key, order="sorted")


def decode_key(data: bytes) -> WriteKey:
    """Return the key in these bytes; raise msgspec's DecodeError."""
    return msgspec.json.decode(data, type=WriteKey)
