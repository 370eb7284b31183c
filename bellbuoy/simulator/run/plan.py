"""Where a simulation begins, given what the deployment has lived through already."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bellbuoy.settings import ConfigError
from schemas.times import DAY, iso

__all__ = ["SimulationPlan", "parse_start", "plan"]


@dataclass(frozen=True, slots=True)
class SimulationPlan:
    """Start of the company, first moment to run from (both UTC milliseconds), and a word to the operator."""

    start: int
    begin: int
    note: str | None = None


def plan(wanted: int, known: int | None, *, same_company: bool = False) -> SimulationPlan:
    """
    Return the plan for a company wanted from ``wanted`` on; ``known`` is the deployment's latest time.

    Time never goes back: a deployment that is later already is continued. ``same_company`` says that the
    very company was run there before, so it goes on; otherwise it is new from that moment.
    """
    start = wanted // DAY * DAY
    if known is None or known <= start:
        return SimulationPlan(start, start)
    note = f"The data already reach {iso(known)}; time never goes back, so the simulation goes on from there."
    return SimulationPlan(start if same_company else known // DAY * DAY, known, note)


def parse_start(text: str) -> int:
    """Return an ISO 8601 date or time (UTC unless it says otherwise) in milliseconds; raise ConfigError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"--start: {text!r} is not a date or time: use 2026-01-31 or 2026-01-31T09:30Z"
        ) from None
    at = (moment if moment.tzinfo else datetime.fromisoformat(f"{moment.isoformat()}+00:00")).timestamp()
    if at < 0:
        raise ConfigError("--start: before 1970")
    return int(at * 1000)
