"""The cursors of all pulls, as they stand on the compacted topic ``pull.cursors``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from confluent_kafka import TopicPartition

from schemas.connection import Connection
from schemas.identity.keys import account_key, partition_of
from schemas.topics import Topics
from streams.kafka.log_reader import read_to_end

__all__ = [
    "CURSORS",
    "StreamCursor",
    "cursor_key",
    "cursors_of",
    "encode_cursor",
    "partition_of_pull",
    "read_cursors",
]

CURSORS = "pull.cursors"
"""The topic, without prefix."""


class StreamCursor(msgspec.Struct, frozen=True, kw_only=True):
    """
    The place up to which one stream of a source is read for a tenant.

    ``cursor`` is the source's own; ``polled_at`` is when it was asked last, UTC milliseconds, and ``items``
    how many things it has given since its beginning. ``history`` tells that its first round goes on.
    """

    tenant: str
    source: str
    stream: str
    cursor: Mapping[str, Any] = {}
    polled_at: int = 0
    items: int = 0
    history: bool = False


_DECODER = msgspec.json.Decoder(StreamCursor)


def partition_of_pull(tenant: str, source: str, topics: Topics) -> int:
    """Return the partition of the cursors of a tenant's source, whose owner asks it."""
    return partition_of(account_key(tenant, source), topics.partitions)


def cursors_of(streams: Iterable[tuple[str, str, str]], read: Iterable[StreamCursor]) -> list[StreamCursor]:
    """Return each stream's cursor, by tenant, source and name; where none was read, that of its beginning."""
    known = {(each.tenant, each.source, each.stream): each for each in read}
    return [
        known.get((tenant, source, name))
        or StreamCursor(tenant=tenant, source=source, stream=name, history=True)
        for tenant, source, name in streams
    ]


def cursor_key(cursor: StreamCursor) -> bytes:
    """Return the key of a cursor's record."""
    return account_key(cursor.tenant, f"{cursor.source} {cursor.stream}")


def encode_cursor(cursor: StreamCursor) -> bytes:
    """Return a cursor as the JSON of its record."""
    return msgspec.json.encode(cursor)


def read_cursors(connection: Connection, topics: Topics, partition: int | None = None) -> list[StreamCursor]:
    """Return the newest cursor of each stream, of one partition or of all; raise KafkaException."""
    numbers = range(topics.partitions) if partition is None else (partition,)
    starts = [TopicPartition(topics.name(CURSORS), number, 0) for number in numbers]
    newest: dict[bytes, StreamCursor] = {}
    for record in read_to_end(connection, starts):
        if record.key is None or record.value is None:
            continue
        try:
            newest[record.key] = _DECODER.decode(record.value)
        except msgspec.DecodeError:
            continue  # not ours
    return list(newest.values())
