"""
The raw payload: what is kept of a verified webhook's body, with a digest of each record that was made of it.

A mapping that is mended later maps it again; the digests tell which of its records are new or differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import msgspec
from xxhash import xxh3_64_digest

from schemas.records.events import InputEvent

__all__ = ["RawPayload", "made_digests", "raw_payload", "split_digests"]

_HALF = 8


class RawPayload(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    The body of one verified webhook, as far as the field policy keeps it, with what its request said.

    ``id`` is the same each time the same body is sent. ``for_tests`` tells that a secret for the vendor's
    test mode signed it. ``made`` holds 16 bytes for each record that was made of it: hashes of its id and of
    its content. ``received_at`` is UTC milliseconds.
    """

    id: str
    tenant: str
    source: str
    received_at: int
    headers: dict[str, bytes] = {}
    body: bytes
    for_tests: bool = False
    made: bytes = b""


def raw_payload(
    *,
    tenant: str,
    source: str,
    received_at: int,
    headers: Mapping[str, bytes],
    body: bytes,
    for_tests: bool,
    made: bytes,
) -> RawPayload:
    """Return the payload of a body, with the id that follows from it."""
    digest = hashlib.blake2b(body, digest_size=16, person=b"raw payload", key=tenant.encode())
    digest.update(source.encode())
    return RawPayload(
        id=digest.hexdigest(),
        tenant=tenant,
        source=source,
        received_at=received_at,
        headers=dict(headers),
        body=body,
        for_tests=for_tests,
        made=made,
    )


def made_digests(event: InputEvent) -> bytes:
    """
    Return the hash of an event's id and that of its content, 8 bytes each.

    Fields that hold their default say nothing, so that a field that a later schema adds changes no hash.
    """
    fields = {
        name: value for name, default in _defaults(type(event)) if (value := getattr(event, name)) != default
    }
    content = msgspec.json.encode([type(event).__name__, fields], order="sorted")
    return xxh3_64_digest(f"{type(event).__name__} {event.event_id}".encode()) + xxh3_64_digest(content)


def split_digests(made: bytes) -> Iterable[tuple[bytes, bytes]]:
    """Yield the hash of the id and of the content of each record."""
    for at in range(0, len(made), 2 * _HALF):
        yield made[at : at + _HALF], made[at + _HALF : at + 2 * _HALF]


@cache
def _defaults(kind: type[InputEvent]) -> tuple[tuple[str, Any], ...]:
    """Return the fields that say what happened, each with its default; that of arrival says none of it."""
    return tuple(
        (each.name, {} if each.default_factory is dict else each.default)
        for each in msgspec.structs.fields(kind)
        if each.name != "received_at"
    )
