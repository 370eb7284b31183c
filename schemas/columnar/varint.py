"""
Reader and writer of Avro's integers for compiled functions; ``schemas.codec.varint`` has them for Python.

Source: https://avro.apache.org/docs/1.12.0/specification/#primitive-types-1
"""

from __future__ import annotations

from typing import Any

import numpy as np

from schemas.columnar.compiled import byte_at, inlined

__all__ = ["MAX_VARINT_BYTES", "NOWHERE", "read_varint", "write_varint"]

MAX_VARINT_BYTES = 10
"""The length of the longest number of 64 bits."""

NOWHERE = np.int64(2**62)
"""
The address that a reader returns where it can't read: past every end, so that whatever reads on from there
can't read either, and only the last address of a chain of reads needs to be looked at.
"""

_LOW_BITS, _MORE = np.uint64(0x7F), np.uint64(0x80)


@inlined
def read_varint(at: Any, end: Any) -> Any:
    """Return the ``int64`` at an address and the address after it, NOWHERE where none ends by *end*."""
    number, shift = np.uint64(0), np.uint64(0)
    while at < end:
        byte = byte_at(at)
        at += 1
        if shift == np.uint64(63) and byte > np.uint64(1):
            break
        number |= (byte & _LOW_BITS) << shift
        if byte < _MORE:
            return np.int64(number >> np.uint64(1)) ^ -np.int64(number & np.uint64(1)), at
        shift += np.uint64(7)
    return np.int64(0), NOWHERE


@inlined
def write_varint(out: Any, at: Any, number: Any) -> Any:
    """Write an ``int64`` into an array of bytes from an index on; return the index after it."""
    left = np.uint64(number << 1 ^ number >> 63)
    while left >= _MORE:
        out[at] = left & _LOW_BITS | _MORE
        left >>= np.uint64(7)
        at += 1
    out[at] = left
    return at + 1
