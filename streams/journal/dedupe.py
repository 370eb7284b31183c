"""
The dedupe window of one input partition: a hash set of the events admitted last, compiled by numba.

Whether it holds an event follows from the log alone, however the log was cut into batches, so it can be
restored by reading the log far enough back.
"""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.columnar.compiled import compiled, inlined

__all__ = ["DedupeWindow"]

_INITIAL_SLOTS = 2
_EMPTY = np.uint64(0)


class DedupeWindow:
    """
    The identities (64 bits) of the *size* events admitted last, in a ring and a set with open addressing.

    An event takes 24 to 40 bytes. The identities 0 and 1 are taken for one.
    """

    def __init__(self, size: int) -> None:
        self._ring = np.empty(size, np.uint64)  # the system gives memory only as it is written to
        self._secret = np.uint64(
            secrets.randbits(64) | 1
        )  # so that no sender can choose colliding identities
        self.clear()

    def clear(self) -> None:
        """Remove every event."""
        self._slots = np.zeros(_INITIAL_SLOTS, np.uint64)
        self._count = self._oldest = 0

    def __len__(self) -> int:
        return self._count

    def claim(self, identities: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """
        Add the identities that are new, and return which are; the oldest ones leave a full window.

        Call with the events of one log in their order.
        """
        self._make_room(min(len(self._ring), self._count + len(identities)))
        new = np.empty(len(identities), np.bool_)
        self._oldest, self._count = _claim(
            identities, self._slots, self._ring, self._oldest, self._count, self._secret, new
        )
        return new

    def _make_room(self, events: int) -> None:
        """Grow the set, so that at least half of its slots stay free."""
        slots = len(self._slots)
        while slots < 2 * events + 2:
            slots *= 2
        if slots > len(self._slots):
            self._slots = np.zeros(slots, np.uint64)
            # Only a ring that is not full grows, so its identities are the first ones in the array.
            _fill(self._ring[: self._count], self._slots, self._secret)


@inlined
def _slot(identity: Any, slots: Any, secret: Any) -> Any:
    return (identity * secret >> np.uint64(32)) & np.uint64(len(slots) - 1)


@inlined
def _find(identity: Any, slots: Any, secret: Any) -> Any:
    """Return the slot that holds an identity, or the empty one where it is to be put."""
    slot = _slot(identity, slots, secret)
    while slots[slot] not in (identity, _EMPTY):
        slot = (slot + np.uint64(1)) & np.uint64(len(slots) - 1)
    return slot


@inlined
def _remove(identity: Any, slots: Any, secret: Any) -> Any:
    """Empty an identity's slot, and move back those that were put behind it because it was taken."""
    mask = np.uint64(len(slots) - 1)
    empty = slot = _find(identity, slots, secret)
    while True:
        slot = (slot + np.uint64(1)) & mask
        if slots[slot] == _EMPTY:
            break
        wanted = _slot(slots[slot], slots, secret)
        if (slot - wanted) & mask >= (slot - empty) & mask:
            slots[empty] = slots[slot]
            empty = slot
    slots[empty] = _EMPTY


@compiled
def _claim(identities: Any, slots: Any, ring: Any, oldest: Any, count: Any, secret: Any, new: Any) -> Any:
    size = len(ring)
    for n in range(len(identities)):
        identity = max(identities[n], np.uint64(1))  # 0 marks an empty slot
        slot = _find(identity, slots, secret)
        new[n] = slots[slot] == _EMPTY
        if not new[n]:
            continue
        if count == size:
            _remove(ring[oldest], slots, secret)
            slot = _find(identity, slots, secret)
            ring[oldest] = identity
            oldest = (oldest + 1) % size
        else:
            ring[count] = identity
            count += 1
        slots[slot] = identity
    return oldest, count


@compiled
def _fill(ring: Any, slots: Any, secret: Any) -> Any:
    for n in range(len(ring)):
        slots[_find(ring[n], slots, secret)] = ring[n]
