"""Reader of a simulation's deliveries up to a time."""

from __future__ import annotations

from collections.abc import Iterator

from bellbuoy.simulator.world.delivery import Delivery

__all__ = ["DeliveryReader"]


class DeliveryReader:
    """Reads deliveries in order; it generates at most one more than was asked for."""

    def __init__(self, deliveries: Iterator[Delivery]) -> None:
        self._deliveries = deliveries
        self._next = next(deliveries, None)

    def until(self, end: int) -> list[Delivery]:
        """Return the deliveries not yet read that are due before ``end`` (UTC milliseconds)."""
        due = []
        while self._next is not None and self._next.at < end:
            due.append(self._next)
            self._next = next(self._deliveries, None)
        return due

    def skip(self, end: int) -> int:
        """Skip the deliveries due before ``end`` and return how many they were."""
        skipped = 0
        while self._next is not None and self._next.at < end:
            skipped += 1
            self._next = next(self._deliveries, None)
        return skipped
