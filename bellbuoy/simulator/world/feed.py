"""A simulation's deliveries, taken up to a time."""

from __future__ import annotations

from collections.abc import Iterator

from bellbuoy.simulator.world.delivery import Delivery

__all__ = ["Feed"]


class Feed:
    """Hands out deliveries in order; never generates further than asked for, except for one."""

    def __init__(self, deliveries: Iterator[Delivery]) -> None:
        self._deliveries = deliveries
        self._next = next(deliveries, None)

    def until(self, end: int) -> list[Delivery]:
        """Return every delivery not yet taken that is due before ``end`` (UTC milliseconds)."""
        taken = []
        while self._next is not None and self._next.at < end:
            taken.append(self._next)
            self._next = next(self._deliveries, None)
        return taken

    def skip(self, end: int) -> int:
        """Leave out every delivery due before ``end`` and return how many those were."""
        skipped = 0
        while self._next is not None and self._next.at < end:
            skipped += 1
            self._next = next(self._deliveries, None)
        return skipped
