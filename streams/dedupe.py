"""
The dedupe window of one input partition.

It holds the identities of the last so many events that were admitted. What it knows of the log's end
follows from the log alone, so it can be rebuilt by reading far enough back.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

__all__ = ["DedupeWindow"]


class DedupeWindow:
    """Remember the *size* events admitted last, and for a while up to one claim's more."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._claims: deque[list[int]] = deque()
        self._known: set[int] = set()

    def __len__(self) -> int:
        return len(self._known)

    def claim(self, identities: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """
        Claim identities; tell of each whether it is new.

        Call with the events of one log in their order.
        """
        given = identities.tolist()
        distinct = set(given)
        if len(distinct) == len(given) and self._known.isdisjoint(distinct):
            new = np.ones(len(given), np.bool_)
            self._known |= distinct
        else:
            new = np.empty(len(given), np.bool_)
            for row, identity in enumerate(given):
                new[row] = identity not in self._known
                self._known.add(identity)
            given = identities[new].tolist()
        if given:
            self._claims.append(given)
            self._trim()
        return new

    def _trim(self) -> None:
        excess = len(self._known) - self._size
        while excess > 0:
            oldest = self._claims.popleft()
            self._known.difference_update(oldest[:excess])
            if excess < len(oldest):
                self._claims.appendleft(oldest[excess:])
            excess -= len(oldest)

    def clear(self) -> None:
        """Forget everything."""
        self._claims.clear()
        self._known.clear()
