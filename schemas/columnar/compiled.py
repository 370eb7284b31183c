"""
Decorators for functions that Numba compiles to machine code, and what those functions read memory with.

A function is compiled when it is first called, and its machine code is cached on disk for the next process.
It runs without Python's global lock, so that partitions decode in parallel. Integers wrap around, and neither
indices nor addresses are checked: the caller must know that they are valid. Bytes are read by their address,
because the references of an array are counted each time it is passed on, which costs more than decoding.

The cache is beside the source file, else in the user's cache folder; ``NUMBA_CACHE_DIR`` names another folder
(https://numba.readthedocs.io/en/stable/reference/envvars.html). Where none can be written, each process
compiles for itself. A function is compiled anew when its own file was changed or installed anew, but not when
a function that is inlined into it was.
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
    """Compile a function of numbers and arrays when it is first called."""
    try:
        return cast("F", njit(nogil=True, cache=True)(function))
    except RuntimeError:  # no folder for the cache
        return cast("F", njit(nogil=True)(function))


def inlined(function: F) -> F:
    """Let compiled functions call this one, whose code becomes part of theirs."""
    return cast("F", njit(nogil=True, forceinline=True)(function))


def address(data: bytes) -> int:
    """Return the address of bytes in memory, valid as long as the caller holds them."""
    view: NDArray[np.uint8] = np.frombuffer(data, np.uint8)
    return view.ctypes.data


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
"""Return the one, four or eight bytes at an address, little-endian, as a ``uint64``."""


@inlined
def same_bytes(at: Any, other: Any, size: Any) -> Any:
    """Tell whether *size* bytes at two addresses are equal."""
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
