"""Whose batch a worker wants next, so that it never waits for one and batches hardly wait for it."""

from __future__ import annotations

from collections import Counter

__all__ = ["CreditScheduler"]

_AHEAD_SECONDS = 0.03
"""So much work may wait for a worker or be on its way: with less it stands still, with more batches wait."""

_ON_ITS_WAY_SECONDS = 0.2
"""A partition that was let on and sends nothing in this time has nothing to send."""


class CreditScheduler:
    """
    The partitions of one worker, and which of them the journal may go on with.

    A partition's journal gathers events until it is let on. A worker that is busy lets its partitions on one
    after the other, when little work waits for it, by what the last batches took: so events wait where they
    still gather and are scored together, and not in batches that wait for one another.
    *now* is a time in seconds on any clock that never goes back.
    """

    def __init__(self) -> None:
        self._here: Counter[int] = Counter()
        self._took: dict[int, float] = {}
        self._held: dict[int, int] = {}
        self._on: dict[int, int] = {}
        self._since: dict[int, float] = {}

    def came(self, partition: int) -> None:
        """Take note of a batch that waits from now on."""
        self._here[partition] += 1
        self._since.pop(partition, None)

    def went(self, partition: int, batches: int) -> None:
        """Take note of batches that wait no more."""
        self._here[partition] -= batches

    def applied(self, partition: int, sequence: int, seconds: float) -> None:
        """
        Take note of the last batch in a partition's state, and the work that it was.

        Its turn comes after those applied before.
        """
        self._held.pop(partition, None)
        self._held[partition] = sequence
        self._took[partition] = seconds

    def forget(self, partition: int) -> None:
        """Drop a partition that another worker has now; batches of it that wait here are still to go."""
        self._took.pop(partition, None)
        self._held.pop(partition, None)
        self._on.pop(partition, None)
        self._since.pop(partition, None)

    def on(self, now: float) -> dict[int, int]:
        """Let on whose turn it is, and return the last batch after which each partition may go on."""
        while self._held and self._work(now) < _AHEAD_SECONDS:
            partition = next(iter(self._held))
            self._on[partition] = self._held.pop(partition)
            self._since[partition] = now
        return self._on

    def _work(self, now: float) -> float:
        """Return the seconds of work that wait or are on their way."""
        self._since = {
            partition: at for partition, at in self._since.items() if now - at < _ON_ITS_WAY_SECONDS
        }
        waiting = sum(number * self._took.get(partition, 0.0) for partition, number in self._here.items())
        return waiting + sum(self._took.get(partition, 0.0) for partition in self._since)
