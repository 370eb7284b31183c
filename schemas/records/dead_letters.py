"""How a record that could not be used becomes a dead letter."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from xxhash import xxh3_128_hexdigest

__all__ = ["REASONS", "STATUSES", "DeadLetter", "dead_letter"]

REASONS = ("undecodable", "unknown_schema", "invalid", "too_late", "from_future", "unresolved_account")
"""Why a record is set aside; a closed set."""

STATUSES = ("open", "repaired", "redriven")
"""What became of a letter, in the order in which it happens; a closed set."""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    A record or request that could not be used, whole, with the reason.

    ``topic`` is the topic it was read from or meant for; ``partition`` and ``offset`` are -1 where it never
    reached Kafka. ``pointer`` is the JSON pointer of the field at fault. ``status`` is one of STATUSES; once
    it is 'repaired', ``mended`` holds the corrected record. Times are UTC milliseconds.
    """

    id: str
    reason: str
    detail: str
    pointer: str | None = None
    topic: str
    partition: int = -1
    offset: int = -1
    key: bytes | None = None
    value: bytes | None = None
    headers: dict[str, bytes] = {}
    producer: str | None = None
    tenant: str | None = None
    failed_at: int
    status: str = "open"
    mended: bytes | None = None
    changed_at: int = 0


def dead_letter(
    *,
    reason: str,
    detail: str,
    topic: str,
    partition: int = -1,
    offset: int = -1,
    index: int = 0,
    key: bytes | None = None,
    value: bytes | None,
    headers: Mapping[str, bytes] | None = None,
    pointer: str | None = None,
    producer: str | None = None,
    tenant: str | None = None,
    failed_at: int,
) -> DeadLetter:
    """
    Return the letter that carries a record whole; raise ValueError for a reason outside REASONS.

    The id is the same each time the same record fails: a hash of topic, partition and offset, or of
    topic, key and value when the record never reached Kafka (offset -1). ``index`` tells the events of
    an envelope apart. ``failed_at`` is UTC milliseconds; ``pointer`` is the JSON pointer of the field at
    fault.
    """
    if reason not in REASONS:
        raise ValueError(f"dead-letter reason {reason!r}: use one of {', '.join(REASONS)}")
    return DeadLetter(
        id=_letter_id(topic, partition, offset, index, key, value),
        reason=reason,
        detail=detail,
        pointer=pointer,
        topic=topic,
        partition=partition,
        offset=offset,
        key=key,
        value=value,
        headers=dict(headers or {}),
        producer=producer,
        tenant=tenant,
        failed_at=failed_at,
    )


def _letter_id(
    topic: str, partition: int, offset: int, index: int, key: bytes | None, value: bytes | None
) -> str:
    if offset >= 0:
        return xxh3_128_hexdigest(f"{topic}|{partition}|{offset}{f'|{index}' if index else ''}".encode())
    # Lengths keep (key, value) pairs with the same joined bytes apart; -1 keeps null from empty.
    sizes = f"{topic}|{-1 if key is None else len(key)}|{-1 if value is None else len(value)}|".encode()
    return xxh3_128_hexdigest(sizes + (key or b"") + (value or b""))
