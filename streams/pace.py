"""How long a partition of the journal rests after a batch, so that the worker keeps up with it."""

from __future__ import annotations

from collections import deque

__all__ = ["Pace"]

_LONGER, _SHORTER = 1.5, 0.8


class Pace:
    """
    The rests of one partition: longer while the worker is behind, shorter again when it isn't.

    Behind is a worker that hasn't applied a batch for ``behind`` seconds after it was written. Each batch
    then makes the rest half as long again, or half as long as it has been waiting, up to ``most``. Events of
    an account gather meanwhile: larger batches score it less often, so the worker has less to do. Otherwise
    each batch makes the rest a fifth shorter, down to ``least``. A worker that has applied everything ends a
    longer rest at once. Batches are known by their sequence numbers; *now* is a time in seconds on any clock
    that never goes back.
    """

    def __init__(self, least: float, most: float, behind: float) -> None:
        self._least, self._most, self._behind = least, max(least, most), behind
        self._rest = least
        self._began = float("-inf")
        self._waiting: deque[tuple[int, float]] = deque()

    def wrote(self, sequence: int, applied: int, now: float) -> None:
        """Begin the rest after this batch, when ``applied`` is the last one known to be applied."""
        self._see(applied)
        age = now - self._waiting[0][1] if self._waiting else 0.0
        rest = self._rest * _SHORTER if age <= self._behind else max(self._rest * _LONGER, age / 2)
        self._rest = min(self._most, max(self._least, rest))
        self._waiting.append((sequence, now))
        self._began = now

    def left(self, applied: int, now: float) -> float:
        """Return the seconds still to rest, 0 or less when it is over."""
        self._see(applied)
        return self._began + (self._rest if self._waiting else self._least) - now

    def _see(self, applied: int) -> None:
        while self._waiting and self._waiting[0][0] <= applied:
            self._waiting.popleft()
