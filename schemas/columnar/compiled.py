"""
Functions that are compiled to machine code when first called, and kept on disk for the next process.

What is compiled holds no lock of Python's while it runs, so partitions decode side by side. Integers wrap
around, and neither indices nor addresses are checked: whoever calls must. Bytes are read by their address,
because an array that is passed on has its references counted at every step, which costs more than decoding.

Machine code is kept beside the source file, else in the user's cache; ``NUMBA_CACHE_DIR`` names another
folder (https://numba.readthedocs.io/en/stable/reference/envvars.html). Without any that can be written, each
process compiles for itself. A function is compiled anew when its own file has changed, or is installed anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

__all__ = ["address", "byte_at", "compiled", "half_at", "inlined", "same_bytes", "word_at"]

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a function of numbers and arrays."""
    try:
        return cast("F", njit(nogil=True, cache=True)(function))
    except RuntimeError:  # no folder to keep it in
        return cast("F", njit(nogil=True)(function))


def inlined(function: F) -> F:
    """Let compiled functions call this one, which becomes part of them."""
    return cast("F", njit(nogil=True, forceinline=True)(function))


def address(data: bytes) -> int:
    """Return where bytes stand in memory: valid as long as the caller holds them."""
    held: NDArray[np.uint8] = np.frombuffer(data, np.uint8)
    return held.ctypes.data


def _load(bits: int) -> Any:
    @intrinsic
    def load(_context: Any, at: Any) -> Any:
        def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], ir.IntType(bits).as_pointer())
            return (
                builder.zext(builder.load(pointer, align=1), ir.IntType(64))
                if bits < 64
                else (builder.load(pointer, align=1))
            )

        return types.uint64(at), generate

    return load


byte_at, half_at, word_at = _load(8), _load(32), _load(64)
"""The byte, the four or the eight bytes at an address, the lowest first, as a ``uint64``."""


@inlined
def same_bytes(at: Any, other: Any, size: Any) -> Any:
    """Tell whether so many bytes at two addresses are the same."""
    end = at + size
    while end - at >= 8:
        if word_at(at) != word_at(other):
            return False
        at += 8
        other += 8
    while at < end:
        if byte_at(at) != byte_at(other):
            return False
        at += 1
        other += 1
    return True
