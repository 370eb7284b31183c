"""
Positions in a log that say which log they are of.

A bare offset is a position of whatever has the topic's name today. Here it goes with the topic's id, which
is new when a topic is made anew, and with the leader epoch of what is before it: where that epoch ends before
the offset, records were lost (KIP-320, https://cwiki.apache.org/confluence/x/fDAwBQ).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from schemas.codec.varint import read_varint, varint

__all__ = ["ID_BYTES", "LOGS_HEADER", "LogPosition", "Part", "decode_positions", "encode_positions"]

Part = tuple[str, int]
"""Topic as on the broker, and partition."""

LOGS_HEADER = "logs"
"""On a record that holds positions: the logs that they are of, as ``encode_positions`` writes them."""

ID_BYTES = 4
"""The first bytes of a topic's id, which are random, tell one topic from the next that has its name."""


class LogPosition(NamedTuple):
    """
    An offset to read next, the ``topic_id`` of the log (its first bytes), and the epoch of what is before.

    ``topic_id`` is empty and ``epoch`` is -1 where they are not known.
    """

    offset: int
    topic_id: bytes = b""
    epoch: int = -1


def encode_positions(positions: Iterable[LogPosition]) -> bytes:
    """Return positions as bytes; who reads them knows of which topics they are, and in which order."""
    return b"".join(
        position.topic_id.ljust(ID_BYTES, b"\0") + varint(position.epoch + 1) + varint(position.offset)
        for position in positions
    )


def decode_positions(data: bytes) -> list[LogPosition]:
    """Return the positions in these bytes; raise ValueError for other bytes."""
    positions, at = [], 0
    while at < len(data):
        topic_id = data[at : at + ID_BYTES]
        epoch, at = read_varint(data, at + ID_BYTES)
        offset, at = read_varint(data, at)
        positions.append(LogPosition(offset, topic_id if any(topic_id) else b"", epoch - 1))
    return positions
