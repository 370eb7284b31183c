"""Plan of a simulation: the time at which it begins, given the time that the deployment has reached."""

from __future__ import annotations

from dataclasses import dataclass

from bellbuoy.errors import ConfigError
from bellbuoy.times import utc_milliseconds
from schemas.times import DAY, iso

__all__ = ["SimulationPlan", "parse_start", "plan_simulation"]


@dataclass(frozen=True, slots=True)
class SimulationPlan:
    """The company's start and the time to run from, both UTC milliseconds, and a note for the operator."""

    start: int
    begin: int
    note: str | None = None


def plan_simulation(wanted: int, known: int | None, *, same_company: bool = False) -> SimulationPlan:
    """
    Return the plan for a company that should start at ``wanted``; ``known`` is the deployment's latest time.

    Time never goes back: where the deployment is later than that, the simulation continues at its time. With
    ``same_company`` the same company was simulated there before and goes on; otherwise it is new there.
    """
    start = wanted // DAY * DAY
    if known is None or known <= start:
        return SimulationPlan(start, start)
    note = f"The data already reach {iso(known)}; time never goes back, so the simulation goes on from there."
    return SimulationPlan(start if same_company else known // DAY * DAY, known, note)


def parse_start(text: str) -> int:
    """Return an ISO 8601 date or time (UTC unless it names a zone) in UTC milliseconds; raise ConfigError."""
    try:
        start = utc_milliseconds(text)
    except ValueError:
        raise ConfigError(
            f"--start: {text!r} is not a date or time: use 2026-01-31 or 2026-01-31T09:30Z"
        ) from None
    if start < 0:
        raise ConfigError("--start: before 1970")
    return start
