"""The quota of a key: most events a second and a UTC day. Pure: the time is an argument."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil

from schemas.times import DAY, SECOND

__all__ = ["Quota"]

_BURST_SECONDS = 2
"""What a key that was quiet may send at once, in seconds of its rate."""


@dataclass(slots=True)
class Quota:
    """
    Budget of one key; ``per_second`` and ``per_day`` are most events, 0 for any number.

    A request may overdraw the budget, so that a batch is never too large for a small rate; what it owes is
    waited for before the next one. So over any long time the rate holds, whatever the size of requests.
    """

    per_second: int = 0
    per_day: int = 0
    _level: float = field(init=False)
    _at: int = field(default=0, init=False)
    _day: int = field(default=-1, init=False)
    _today: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._level = float(self.per_second * _BURST_SECONDS)

    def wait(self, now: int) -> int:
        """Return for how many seconds the key has to wait before its next request, 0 for none."""
        if not self.per_second and not self.per_day:
            return 0
        self._refill(now)
        if self.per_day and self._today >= self.per_day:
            return ceil((DAY - now % DAY) / SECOND)
        if self.per_second and self._level <= 0:
            return max(1, ceil((1 - self._level) / self.per_second))
        return 0

    def charge(self, events: int, now: int) -> None:
        """Take so many events from the budget, which may overdraw it."""
        if self.per_second or self.per_day:
            self._refill(now)
            self._level -= events
            self._today += events

    def _refill(self, now: int) -> None:
        if self.per_second:
            gained = max(0, now - self._at) * self.per_second / SECOND
            self._level = min(self.per_second * _BURST_SECONDS, self._level + gained)
        self._at = max(self._at, now)
        if now // DAY > self._day:
            self._day, self._today = now // DAY, 0
