"""Hidden states of a simulated customer: a Markov chain with a step a day."""

from __future__ import annotations

from enum import StrEnum

from bellbuoy.simulator.world.random_streams import random_stream

__all__ = ["INITIAL", "TRANSITIONS", "CustomerState", "StatePath"]


class CustomerState(StrEnum):
    """The true state of a customer, which no event contains."""

    ONBOARDING = "onboarding"
    HEALTHY = "healthy"
    DRIFTING = "drifting"
    AT_RISK = "at_risk"
    CHURNED = "churned"
    EXPANDING = "expanding"


INITIAL: dict[CustomerState, float] = {
    CustomerState.ONBOARDING: 0.10,
    CustomerState.HEALTHY: 0.64,
    CustomerState.DRIFTING: 0.08,
    CustomerState.AT_RISK: 0.04,
    CustomerState.EXPANDING: 0.14,
}
"""Share of the customers in each state on the first day."""

TRANSITIONS: dict[CustomerState, dict[CustomerState, float]] = {
    CustomerState.ONBOARDING: {CustomerState.HEALTHY: 0.030, CustomerState.DRIFTING: 0.004},
    CustomerState.HEALTHY: {CustomerState.DRIFTING: 0.004, CustomerState.EXPANDING: 0.004},
    CustomerState.DRIFTING: {CustomerState.AT_RISK: 0.035, CustomerState.HEALTHY: 0.025},
    CustomerState.AT_RISK: {CustomerState.CHURNED: 0.030, CustomerState.DRIFTING: 0.020},
    CustomerState.EXPANDING: {CustomerState.HEALTHY: 0.015, CustomerState.DRIFTING: 0.001},
    CustomerState.CHURNED: {},
}
"""The chance of each move on a day; the rest of a row is the chance to stay."""


class StatePath:
    """The states of one account day by day, generated as far ahead as they are asked for."""

    def __init__(self, seed: int, account: str) -> None:
        self._draw = random_stream(seed, account, "path")
        self._days = [self._draw.choices(list(INITIAL), list(INITIAL.values()))[0]]

    def state_on(self, day: int) -> CustomerState:
        """Return the state on a day of the simulation, counted from 0; days before it are as day 0."""
        while len(self._days) <= day:
            self._days.append(self._next(self._days[-1]))
        return self._days[max(0, day)]

    def entered(self, day: int) -> bool:
        """Return whether the account entered its state on this day."""
        return day > 0 and self.state_on(day) is not self.state_on(day - 1)

    def days_in(self, day: int) -> int:
        """Return how many days before this one the account has been in its state."""
        state, past = self.state_on(day), day
        while past > 0 and self.state_on(past - 1) is state:
            past -= 1
        return day - past

    def churns(self, day: int, ahead: int) -> int | None:
        """Return the day of the account's churn; ``None`` unless it is within ``ahead`` days of ``day``."""
        if (
            self.state_on(day) is CustomerState.CHURNED
            or self.state_on(day + ahead) is not CustomerState.CHURNED
        ):
            return None
        return next(d for d in range(day + 1, day + ahead + 1) if self.state_on(d) is CustomerState.CHURNED)

    def _next(self, state: CustomerState) -> CustomerState:
        level = self._draw.random()
        for target, chance in TRANSITIONS[state].items():
            if level < chance:
                return target
            level -= chance
        return state
