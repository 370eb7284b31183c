"""Pace of simulated time against the wall clock, and the length of its steps."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.times import DAY, MINUTE

__all__ = ["Pace", "next_step", "step_limit"]


def step_limit(future_minutes: int) -> int:
    """
    Return how far the simulation may run ahead of its last tick, in milliseconds.

    It is a quarter of how far the journal allows an event to lie ahead of its time, since the journal may
    read a step's events before the tick that ends the step; it is at least a second.
    """
    return max(1_000, future_minutes * MINUTE // 4)


def next_step(now: int, target: int, limit: int) -> int:
    """Return the end of the step from ``now`` to ``target``: within the limit and within its UTC day."""
    return max(now, min(target, now + limit, (now // DAY + 1) * DAY))


@dataclass(frozen=True, slots=True)
class Pace:
    """
    Simulated time as a function of wall time; all in UTC milliseconds.

    It runs ``speed`` times as fast from ``start`` until it meets the wall clock, and then as fast as that. A
    ``start`` after the wall clock never meets it.
    """

    start: int
    began: float
    speed: float

    def at(self, wall: float) -> int:
        """Return the simulated time that belongs to a wall time."""
        fast = self.start + (wall - self.began) * self.speed
        return int(fast if self.start > self.began else min(fast, wall))
