"""
Parts that the mappings of vendors share: ids, versions, and tickets that an event carries whole. Pure.

What is so comes from the object that an event carries; the kind of the event is news only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import xxhash

from gateway.http.sender import Sender
from schemas.records import SupportEvent

__all__ = [
    "MAX_VENDOR_TEXT",
    "Count",
    "EventId",
    "Id",
    "Money",
    "Seconds",
    "content_id",
    "header_id",
    "named_account",
    "text_id",
    "ticket",
    "version",
]

MAX_VENDOR_TEXT = 4_096
"""Characters of a vendor's subject or comment; the rest is cut off."""

Id = str | Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None
"""An id, as text or as a whole number."""

EventId = (
    Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    | Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
)
"""The id of an event, which there always is."""

Seconds = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]
"""A time in UTC seconds."""

Money = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""An amount in minor units."""

Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
"""A number of things."""


def text_id(value: Id) -> str | None:
    """Return an id as text, ``None`` for a missing or empty one."""
    return None if value in (None, "") else str(value)


def named_account(metadata: Any) -> str | None:
    """Return the account that an object's metadata name as ``account_id``, ``None`` where they don't."""
    account = metadata.get("account_id") if isinstance(metadata, dict) else None
    return text_id(account) if isinstance(account, str | int) and not isinstance(account, bool) else None


def version(*said: object) -> int:
    """Return the fingerprint of what an object says of itself."""
    return xxhash.xxh32_intdigest(msgspec.json.encode(said))


def content_id(raw: bytes, *more: str) -> str:
    """Return the id of an event whose vendor gives none: a hash of what was sent, the same in each retry."""
    digest = hashlib.blake2b(raw, digest_size=16)
    for part in more:
        digest.update(b"\0" + part.encode())
    return digest.hexdigest()


def header_id(headers: Mapping[str, bytes], name: str, raw: bytes) -> str:
    """Return the id of an event that stands in a header; without it, that of the content."""
    said = headers.get(name, b"").decode("utf-8", "replace").strip()
    return said if 0 < len(said) <= 256 else content_id(raw)


def ticket(
    sender: Sender,
    *,
    event_id: str,
    account: str,
    ticket_id: str,
    kind: str,
    occurred_at: int,
    status: str = "unknown",
    severity: str = "unknown",
    opened_at: int | None = None,
    subject: str | None = None,
    **more: Any,
) -> SupportEvent:
    """Return an event about a ticket; one whose status is known carries the ticket whole."""
    whole = status != "unknown"
    return SupportEvent(
        event_id=event_id,
        tenant=sender.tenant,
        account_id=account,
        source=sender.source,
        occurred_at=occurred_at,
        received_at=sender.received_at,
        ticket_id=ticket_id,
        kind=kind,
        status=status,
        severity=severity,
        subject=subject.replace("\0", "")[:MAX_VENDOR_TEXT] if subject else None,
        opened_at=opened_at,
        snapshot=whole,
        version=version(status, severity) if whole else None,
        **more,
    )
