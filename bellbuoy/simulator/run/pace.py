"""How fast simulated time runs against the wall clock."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.times import DAY, MINUTE

__all__ = ["Pace", "next_step", "step_limit"]


def step_limit(future_minutes: int) -> int:
    """
    Return how far the simulation may run ahead of its last tick, in milliseconds.

    A quarter of what the journal allows an event to lie ahead of its time, since the journal may see a
    step's events before the tick that ends it; at least a second.
    """
    return max(1_000, future_minutes * MINUTE // 4)


def next_step(now: int, target: int, limit: int) -> int:
    """Return where the step from ``now`` to ``target`` ends: within the limit and within its UTC day."""
    return max(now, min(target, now + limit, (now // DAY + 1) * DAY))


@dataclass(frozen=True, slots=True)
class Pace:
    """
    Simulated time as a function of wall time; all in UTC milliseconds.

    It runs ``speed`` times as fast from ``start`` until it meets the wall clock, and then with it. A
    ``start`` after the wall clock never meets it.
    """

    start: int
    began: float
    speed: float

    def at(self, wall: float) -> int:
        """Return the simulated time that belongs to a wall time."""
        fast = self.start + (wall - self.began) * self.speed
        return int(fast if self.start > self.began else min(fast, wall))
