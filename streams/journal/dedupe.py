"""
The dedupe window of one input partition.

It holds the identities of the last so many events that were admitted. What it says of an event follows from
the log alone, however the log was cut into batches, so it can be rebuilt by reading far enough back.
"""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.columnar.compiled import compiled, inlined

__all__ = ["DedupeWindow"]

_FEWEST_SLOTS = 2
_NONE = np.uint64(0)


class DedupeWindow:
    """
    Remember the *size* events admitted last, by their identities; 0 and 1 are one identity.

    An event that is remembered takes 24 to 40 bytes.
    """

    def __init__(self, size: int) -> None:
        self._ring = np.empty(size, np.uint64)  # memory is taken as it is written to
        self._secret = np.uint64(secrets.randbits(64) | 1)  # so that nobody can choose who shares a slot
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._slots = np.zeros(_FEWEST_SLOTS, np.uint64)
        self._count = self._oldest = 0

    def __len__(self) -> int:
        return self._count

    def claim(self, identities: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """
        Claim identities; tell of each whether it is new.

        Call with the events of one log in their order.
        """
        self._make_room(min(len(self._ring), self._count + len(identities)))
        new = np.empty(len(identities), np.bool_)
        self._oldest, self._count = _claim(
            identities, self._slots, self._ring, self._oldest, self._count, self._secret, new
        )
        return new

    def _make_room(self, events: int) -> None:
        """Keep at least half of the slots free."""
        slots = len(self._slots)
        while slots < 2 * events + 2:
            slots *= 2
        if slots > len(self._slots):
            self._slots = np.zeros(slots, np.uint64)
            # A ring that has gone round is full, and its slots were made for that.
            _fill(self._ring[: self._count], self._slots, self._secret)


@inlined
def _slot(identity: Any, slots: Any, secret: Any) -> Any:
    return (identity * secret >> np.uint64(32)) & np.uint64(len(slots) - 1)


@inlined
def _find(identity: Any, slots: Any, secret: Any) -> Any:
    """Return the slot that holds an identity, or the free one where it belongs."""
    slot = _slot(identity, slots, secret)
    while slots[slot] not in (identity, _NONE):
        slot = (slot + np.uint64(1)) & np.uint64(len(slots) - 1)
    return slot


@inlined
def _remove(identity: Any, slots: Any, secret: Any) -> Any:
    """Free an identity's slot, and move up what had to make way for it."""
    mask = np.uint64(len(slots) - 1)
    free = slot = _find(identity, slots, secret)
    while True:
        slot = (slot + np.uint64(1)) & mask
        if slots[slot] == _NONE:
            break
        wanted = _slot(slots[slot], slots, secret)
        if (slot - wanted) & mask >= (slot - free) & mask:
            slots[free] = slots[slot]
            free = slot
    slots[free] = _NONE


@compiled
def _claim(identities: Any, slots: Any, ring: Any, oldest: Any, count: Any, secret: Any, new: Any) -> Any:
    size = len(ring)
    for n in range(len(identities)):
        identity = max(identities[n], np.uint64(1))  # 0 means none
        slot = _find(identity, slots, secret)
        new[n] = slots[slot] == _NONE
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
