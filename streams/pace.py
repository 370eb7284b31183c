"""How long a partition of the journal rests after a batch, so that the worker keeps up with it."""

from __future__ import annotations

from collections import deque

__all__ = ["Pace"]

_LONGER, _SHORTER = 1.5, 0.8


class Pace:
    """
    The rest of one partition, in seconds: longer while the worker is behind, shorter again when it isn't.

    Behind is a worker that hasn't applied a batch for ``behind`` seconds after it was written. Each batch
    then makes the rest half as long again, up to ``most``, and events of an account gather meanwhile: larger
    batches score it less often, so the worker has less to do. Otherwise each batch makes the rest a fifth
    shorter, down to ``least``. (Additive or multiplicative, up and down by factors: as congestion is avoided
    in networks.)
    """

    def __init__(self, least: float, most: float, behind: float) -> None:
        self._least, self._most, self._behind = least, max(least, most), behind
        self._rest = least
        self._waiting: deque[tuple[int, float]] = deque()

    def rest(self, written: int, applied: int, now: float) -> float:
        """
        Return the rest after batch ``written``, when ``applied`` is the last one known to be applied.

        Both are sequence numbers; *now* is a time in seconds on any clock that never goes back.
        """
        while self._waiting and self._waiting[0][0] <= applied:
            self._waiting.popleft()
        late = bool(self._waiting) and now - self._waiting[0][1] > self._behind
        self._rest = (
            min(self._most, self._rest * _LONGER) if late else max(self._least, self._rest * _SHORTER)
        )
        self._waiting.append((written, now))
        return self._rest
