"""The hidden state of a simulated customer: a Markov chain by day."""

from __future__ import annotations

from enum import StrEnum

from bellbuoy.simulator.world.draws import stream

__all__ = ["INITIAL", "TRANSITIONS", "Path", "State"]


class State(StrEnum):
    """What is really going on, which no event says."""

    ONBOARDING = "onboarding"
    HEALTHY = "healthy"
    DRIFTING = "drifting"
    AT_RISK = "at_risk"
    CHURNED = "churned"
    EXPANDING = "expanding"


INITIAL: dict[State, float] = {
    State.ONBOARDING: 0.10,
    State.HEALTHY: 0.64,
    State.DRIFTING: 0.08,
    State.AT_RISK: 0.04,
    State.EXPANDING: 0.14,
}
"""Share of the customers in each state on the first day."""

TRANSITIONS: dict[State, dict[State, float]] = {
    State.ONBOARDING: {State.HEALTHY: 0.030, State.DRIFTING: 0.004},
    State.HEALTHY: {State.DRIFTING: 0.004, State.EXPANDING: 0.004},
    State.DRIFTING: {State.AT_RISK: 0.035, State.HEALTHY: 0.025},
    State.AT_RISK: {State.CHURNED: 0.030, State.DRIFTING: 0.020},
    State.EXPANDING: {State.HEALTHY: 0.015, State.DRIFTING: 0.001},
    State.CHURNED: {},
}
"""Chance a day of each move; what is missing from a row is the chance to stay."""


class Path:
    """The states of one account, day by day, known as far ahead as anyone asks."""

    def __init__(self, seed: int, account: str) -> None:
        self._draw = stream(seed, account, "path")
        self._days = [self._draw.choices(list(INITIAL), list(INITIAL.values()))[0]]

    def on(self, day: int) -> State:
        """Return the state on a day of the simulation, counted from 0; days before it are as day 0."""
        while len(self._days) <= day:
            self._days.append(self._next(self._days[-1]))
        return self._days[max(0, day)]

    def entered(self, day: int) -> bool:
        """Tell whether the account came to its state on this very day."""
        return day > 0 and self.on(day) is not self.on(day - 1)

    def days_in(self, day: int) -> int:
        """Return how many days before this one the account has been in its state."""
        state, past = self.on(day), day
        while past > 0 and self.on(past - 1) is state:
            past -= 1
        return day - past

    def churns(self, day: int, ahead: int) -> int | None:
        """Return the day the account churns when that is within ``ahead`` days after ``day``."""
        if self.on(day) is State.CHURNED or self.on(day + ahead) is not State.CHURNED:
            return None
        return next(d for d in range(day + 1, day + ahead + 1) if self.on(d) is State.CHURNED)

    def _next(self, state: State) -> State:
        level = self._draw.random()
        for target, chance in TRANSITIONS[state].items():
            if level < chance:
                return target
            level -= chance
        return state
