"""The bytes of a state: msgpack of arrays, equal for equal states."""

from __future__ import annotations

import msgspec

from processors.state.account import State, arrange
from processors.state.encoding_cache import EncodingCache

__all__ = ["decode_head", "decode_state", "encode_state"]


class _Head(msgspec.Struct, array_like=True):
    """The first fields of a ``State``, up to ``due``: the others are passed over."""

    tenant: str = ""
    account_id: str = ""
    applied: int = 0
    sequence: int = -1
    due: int | None = None


_encode = msgspec.msgpack.Encoder().encode
_state = msgspec.msgpack.Decoder(State)
_head = msgspec.msgpack.Decoder(_Head)


def encode_state(state: State, *, arranged: bool = False, cache: EncodingCache | None = None) -> bytes:
    """
    Return the state's bytes; equal states give equal bytes. Say so when it is arranged already.

    With the state's ``cache``, the bytes of what didn't change since it was encoded last are copied.
    """
    if not arranged:
        arrange(state)
    return _encode(state) if cache is None else cache.encode(state)


def decode_state(data: bytes) -> State:
    """Return the state in these bytes, of this build or any older one."""
    return _state.decode(data)


def decode_head(data: bytes) -> tuple[int, int | None]:
    """Return the batch that judged the account in these bytes last, and when it is due; not the rest."""
    head = _head.decode(data)
    return head.sequence, head.due
