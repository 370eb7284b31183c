"""
The dead letter, a record or request that could not be used, and its two constructors.

A dead letter holds the input, with a reason from a closed set (``REASONS``). Its id is the same each time the
same input fails, so that a retry or a crash makes no second one; each constructor says from what. Of a record
too large for a dead letter it holds the beginning, and the size and the hash of the whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from xxhash import xxh3_128_hexdigest

__all__ = [
    "MAX_WHOLE_BYTES",
    "PIPELINE_HEADERS",
    "REASONS",
    "SINK_HEADER",
    "STATUSES",
    "DeadLetter",
    "of_record",
    "of_request",
]

REASONS = ("undecodable", "unknown_schema", "invalid", "too_late", "from_future", "unresolved_account")
"""Why input becomes a dead letter; a closed set."""

STATUSES = ("open", "repaired", "redriven")
"""What has been done with a dead letter, in the order in which it happens; a closed set."""

MAX_WHOLE_BYTES = 4 * 1024 * 1024 - 65_536
"""The largest record, with key and headers, that a dead letter holds whole; of a larger one parts."""

_KEPT_BYTES = 65_536
"""The beginning of a value or key that is kept, and the most of headers, where a record is too large."""

_KEPT_TEXT = 4_096
"""Characters of the words, of the producer and of the tenant in a dead letter; what is longer is cut."""

PIPELINE_HEADERS = "bellbuoy-"
"""Prefix of headers that the pipeline sets itself; they do not hold for an event that is sent anew."""

SINK_HEADER = f"{PIPELINE_HEADERS}sink"
"""On the dead letter of an output that one sink refused: the sink's name."""

_NO_HEADERS: Mapping[str, bytes] = MappingProxyType({})


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    A record or request that could not be used, whole, with the reason.

    ``topic`` is the topic it was read from or meant for; ``partition`` and ``offset`` are -1 where it never
    reached Kafka. ``pointer`` is the JSON pointer of the field at fault. ``status`` is one of STATUSES; once
    it is 'repaired', ``mended`` holds the corrected record. Where ``value`` is only the beginning,
    ``value_bytes`` is the size of the whole value and ``value_sha256`` its hash. Times are UTC milliseconds.
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
    value_bytes: int = 0
    value_sha256: str | None = None

    @property
    def cut(self) -> bool:
        """Whether ``value`` is only the beginning of the record's value."""
        return self.value_bytes > 0


def of_record(
    *,
    reason: str,
    detail: str,
    topic: str,
    partition: int,
    offset: int,
    index: int = 0,
    topic_id: bytes = b"",
    key: bytes | None = None,
    value: bytes | None,
    headers: Mapping[str, bytes] = _NO_HEADERS,
    pointer: str | None = None,
    producer: str | None = None,
    tenant: str | None = None,
    failed_at: int,
    sink: str = "",
) -> DeadLetter:
    """
    Return the dead letter of a record read from Kafka; raise ValueError for a reason outside REASONS.

    Its id is a hash of the topic, partition and offset; of ``index``, the number of the event within an
    envelope, unless that is 0; of Kafka's ``topic_id`` where it is known; and of the ``sink`` that refused
    it, which a header of the dead letter names, because another sink may take it. A record larger than
    ``MAX_WHOLE_BYTES`` is kept in part: the first 64 KiB of value and key, and 64 KiB of headers, the
    pipeline's own first.
    """
    _check(reason)
    position = f"{topic}|{partition}|{offset}" + (f"|{index}" if index else "")
    position += f"|{topic_id.hex()}" if topic_id else ""
    if sink:
        position += f"|{sink}"
        headers = {**headers, SINK_HEADER: sink.encode()}
    return DeadLetter(
        id=xxh3_128_hexdigest(position.encode()),
        reason=reason,
        detail=detail[:_KEPT_TEXT],
        pointer=pointer,
        topic=topic,
        partition=partition,
        offset=offset,
        producer=producer and producer[:_KEPT_TEXT],
        tenant=tenant and tenant[:_KEPT_TEXT],
        failed_at=failed_at,
        **_content(key, value, headers),
    )


def of_request(
    *,
    reason: str,
    detail: str,
    pointer: str,
    topic: str,
    body: bytes,
    receipt: str = "",
    headers: Mapping[str, bytes] = _NO_HEADERS,
    producer: str,
    tenant: str,
    failed_at: int,
) -> DeadLetter:
    """
    Return the dead letter of a request's event that was meant for *topic* and never reached Kafka.

    Its id is a BLAKE2b hash of the event's bytes with the tenant as key, so that a client's retry of the same
    event has the same id; ``receipt``, where there is one, tells an event without an id of its own from
    another with the same bytes. ``detail`` and ``pointer`` may quote the event: what UTF-8 can't hold is
    replaced. Raises ValueError for a reason outside REASONS.
    """
    _check(reason)
    digest = hashlib.blake2b(body, digest_size=16, person=b"deadletter", key=tenant.encode())
    digest.update(receipt.encode())
    return DeadLetter(
        id=digest.hexdigest(),
        reason=reason,
        detail=_encodable(detail[:_KEPT_TEXT]),
        pointer=_encodable(pointer[:_KEPT_TEXT]),
        topic=topic,
        value=body,
        headers=dict(headers),
        producer=producer,
        tenant=tenant,
        failed_at=failed_at,
    )


def _content(key: bytes | None, value: bytes | None, headers: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the fields of a dead letter that hold the record itself, whole or in part."""
    value_size = len(value or b"")
    size = value_size + len(key or b"") + sum(len(name) + len(header) for name, header in headers.items())
    if size <= MAX_WHOLE_BYTES:
        return {"key": key, "value": value, "headers": dict(headers)}
    kept, room = {}, _KEPT_BYTES
    for name, header in sorted(headers.items(), key=lambda item: not item[0].startswith(PIPELINE_HEADERS)):
        if (taken := len(name) + len(header)) <= room:
            kept[name] = header
            room -= taken
    content: dict[str, Any] = {"key": key and key[:_KEPT_BYTES], "value": value, "headers": kept}
    if value is not None and value_size > _KEPT_BYTES:
        digest = hashlib.sha256(value).hexdigest()
        content |= {"value": value[:_KEPT_BYTES], "value_bytes": value_size, "value_sha256": digest}
    return content


def _check(reason: str) -> None:
    if reason not in REASONS:
        raise ValueError(f"dead-letter reason {reason!r}: use one of {', '.join(REASONS)}")


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
