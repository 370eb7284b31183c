"""The position of a partition: how far its states have come in the journal, and the ledger of what came."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

__all__ = [
    "POSITION_KEY",
    "BatchOrigin",
    "Position",
    "decode_position",
    "encode_position",
    "is_account",
    "position_key",
]


class Position(msgspec.Struct, array_like=True, frozen=True):
    """
    The progress of a partition's states in the journal, and the ledger of all events so far.

    ``offset`` is that of the journal batch ``sequence``; ``applied`` + ``duplicates`` +
    ``dead_letters`` + ``moved`` + ``erased`` is the number of input records read.
    """

    sequence: int = -1
    offset: int = -1
    written_at: int = 0
    applied: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    moved: int = 0
    erased: int = 0


class BatchOrigin(NamedTuple):
    """The journal batch that a record comes from."""

    partition: int
    sequence: int
    written_at: int


POSITION_KEY = b"\0position"
"""First bytes of a position's key in the changelog; no account key starts with a zero byte."""

_encode = msgspec.msgpack.Encoder().encode
_position = msgspec.msgpack.Decoder(Position)


def is_account(key: bytes) -> bool:
    """Tell whether a key of the changelog is an account's; others start with a zero byte."""
    return not key.startswith(b"\0")


def position_key(partition: int) -> bytes:
    """Return the changelog key of a partition's position."""
    return POSITION_KEY + b"%d" % partition


def encode_position(position: Position) -> bytes:
    """Return the position's bytes."""
    return _encode(position)


def decode_position(data: bytes) -> Position:
    """Return the position in these bytes."""
    return _position.decode(data)
