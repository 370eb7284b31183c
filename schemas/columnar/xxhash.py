"""
The hash functions XXH32 and XXH64 for compiled functions, over bytes in memory.

The package ``xxhash`` can't be called from compiled code; a test compares the two. Source:
https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
"""

from __future__ import annotations

from typing import Any

import numpy as np

from schemas.columnar.compiled import byte_at, half_at, inlined, word_at

__all__ = ["xxh32", "xxh64"]

_U = np.uint64

_1, _2, _3 = _U(0x9E3779B185EBCA87), _U(0xC2B2AE3D27D4EB4F), _U(0x165667B19E3779F9)
_4, _5 = _U(0x85EBCA77C2B2AE63), _U(0x27D4EB2F165667C5)

_S1, _S2, _S3 = _U(0x9E3779B1), _U(0x85EBCA77), _U(0xC2B2AE3D)
_S4, _S5 = _U(0x27D4EB2F), _U(0x165667B1)
_LOW = _U(0xFFFFFFFF)


@inlined
def _rotated(number: Any, bits: Any) -> Any:
    return (number << _U(bits)) | (number >> _U(64 - bits))


@inlined
def _round(sum_: Any, given: Any) -> Any:
    return _rotated(sum_ + given * _2, 31) * _1


@inlined
def xxh64(at: Any, size: Any, seed: Any) -> Any:
    """Return XXH64 of *size* bytes at an address; *seed* is a ``uint64``."""
    end = at + size
    if size >= 32:
        a, b, c, d = seed + _1 + _2, seed + _2, seed, seed - _1
        while end - at >= 32:
            a, b = _round(a, word_at(at)), _round(b, word_at(at + 8))
            c, d = _round(c, word_at(at + 16)), _round(d, word_at(at + 24))
            at += 32
        h = _rotated(a, 1) + _rotated(b, 7) + _rotated(c, 12) + _rotated(d, 18)
        h = (h ^ _round(_U(0), a)) * _1 + _4
        h = (h ^ _round(_U(0), b)) * _1 + _4
        h = (h ^ _round(_U(0), c)) * _1 + _4
        h = (h ^ _round(_U(0), d)) * _1 + _4
    else:
        h = seed + _5
    h += _U(size)
    while end - at >= 8:
        h = _rotated(h ^ _round(_U(0), word_at(at)), 27) * _1 + _4
        at += 8
    if end - at >= 4:
        h = _rotated(h ^ half_at(at) * _1, 23) * _2 + _3
        at += 4
    while at < end:
        h = _rotated(h ^ byte_at(at) * _5, 11) * _1
        at += 1
    h = (h ^ h >> _U(33)) * _2
    h = (h ^ h >> _U(29)) * _3
    return h ^ h >> _U(32)


@inlined
def _rotated_half(number: Any, bits: Any) -> Any:
    return ((number << _U(bits)) | (number >> _U(32 - bits))) & _LOW


@inlined
def _round_half(sum_: Any, given: Any) -> Any:
    return _rotated_half((sum_ + given * _S2) & _LOW, 13) * _S1 & _LOW


@inlined
def xxh32(at: Any, size: Any) -> Any:
    """Return XXH32 (seed 0) of *size* bytes at an address, as a ``uint64``."""
    end = at + size
    if size >= 16:
        a, b, c, d = _S1 + _S2 & _LOW, _S2, _U(0), _LOW + _U(1) - _S1
        while end - at >= 16:
            a, b = _round_half(a, half_at(at)), _round_half(b, half_at(at + 4))
            c, d = _round_half(c, half_at(at + 8)), _round_half(d, half_at(at + 12))
            at += 16
        h = _rotated_half(a, 1) + _rotated_half(b, 7) + _rotated_half(c, 12) + _rotated_half(d, 18)
    else:
        h = _S5
    h = (h + _U(size)) & _LOW
    while end - at >= 4:
        h = _rotated_half((h + half_at(at) * _S3) & _LOW, 17) * _S4 & _LOW
        at += 4
    while at < end:
        h = _rotated_half((h + byte_at(at) * _S5) & _LOW, 11) * _S1 & _LOW
        at += 1
    h = (h ^ h >> _U(15)) * _S2 & _LOW
    h = (h ^ h >> _U(13)) * _S3 & _LOW
    return h ^ h >> _U(16)
