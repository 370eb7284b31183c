"""
The hashes XXH32 and XXH64 of bytes in memory, for compiled functions to call.

They equal those of the package ``xxhash``. Source:
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
def _turned(number: Any, bits: Any) -> Any:
    return (number << _U(bits)) | (number >> _U(64 - bits))


@inlined
def _round(sum_: Any, given: Any) -> Any:
    return _turned(sum_ + given * _2, 31) * _1


@inlined
def xxh64(at: Any, size: Any, seed: Any) -> Any:
    """Return XXH64 of so many bytes at an address; *seed* is a ``uint64``."""
    end = at + size
    if size >= 32:
        a, b, c, d = seed + _1 + _2, seed + _2, seed, seed - _1
        while end - at >= 32:
            a, b = _round(a, word_at(at)), _round(b, word_at(at + 8))
            c, d = _round(c, word_at(at + 16)), _round(d, word_at(at + 24))
            at += 32
        h = _turned(a, 1) + _turned(b, 7) + _turned(c, 12) + _turned(d, 18)
        h = (h ^ _round(_U(0), a)) * _1 + _4
        h = (h ^ _round(_U(0), b)) * _1 + _4
        h = (h ^ _round(_U(0), c)) * _1 + _4
        h = (h ^ _round(_U(0), d)) * _1 + _4
    else:
        h = seed + _5
    h += _U(size)
    while end - at >= 8:
        h = _turned(h ^ _round(_U(0), word_at(at)), 27) * _1 + _4
        at += 8
    if end - at >= 4:
        h = _turned(h ^ half_at(at) * _1, 23) * _2 + _3
        at += 4
    while at < end:
        h = _turned(h ^ byte_at(at) * _5, 11) * _1
        at += 1
    h = (h ^ h >> _U(33)) * _2
    h = (h ^ h >> _U(29)) * _3
    return h ^ h >> _U(32)


@inlined
def _turned_half(number: Any, bits: Any) -> Any:
    return ((number << _U(bits)) | (number >> _U(32 - bits))) & _LOW


@inlined
def _round_half(sum_: Any, given: Any) -> Any:
    return _turned_half((sum_ + given * _S2) & _LOW, 13) * _S1 & _LOW


@inlined
def xxh32(at: Any, size: Any) -> Any:
    """Return XXH32 (seed 0) of so many bytes at an address, as a ``uint64``."""
    end = at + size
    if size >= 16:
        a, b, c, d = _S1 + _S2 & _LOW, _S2, _U(0), _LOW + _U(1) - _S1
        while end - at >= 16:
            a, b = _round_half(a, half_at(at)), _round_half(b, half_at(at + 4))
            c, d = _round_half(c, half_at(at + 8)), _round_half(d, half_at(at + 12))
            at += 16
        h = _turned_half(a, 1) + _turned_half(b, 7) + _turned_half(c, 12) + _turned_half(d, 18)
    else:
        h = _S5
    h = (h + _U(size)) & _LOW
    while end - at >= 4:
        h = _turned_half((h + half_at(at) * _S3) & _LOW, 17) * _S4 & _LOW
        at += 4
    while at < end:
        h = _turned_half((h + byte_at(at) * _S5) & _LOW, 11) * _S1 & _LOW
        at += 1
    h = (h ^ h >> _U(15)) * _S2 & _LOW
    h = (h ^ h >> _U(13)) * _S3 & _LOW
    return h ^ h >> _U(16)
