"""Usage of the simulated product: by weekday and hour, at a rate that depends on the hidden state."""

from __future__ import annotations

from collections.abc import Iterator

from bellbuoy.simulator.world.accounts import SimAccount
from bellbuoy.simulator.world.random_streams import poisson, random_stream
from bellbuoy.simulator.world.states import CustomerState
from schemas.records import UsageEvent
from schemas.times import DAY, HOUR

__all__ = ["ACTIVITY", "FEATURES", "usage_on"]

FEATURES = (
    "dashboard", "reports", "search", "exports", "alerts", "api", "approvals", "budgets", "forecasts",
    "imports", "templates", "audit",
)  # fmt: skip
"""The features of the product, the most used first."""

ACTIVITY: dict[CustomerState, float] = {
    CustomerState.ONBOARDING: 0.6,
    CustomerState.HEALTHY: 1.0,
    CustomerState.DRIFTING: 0.5,
    CustomerState.AT_RISK: 0.18,
    CustomerState.CHURNED: 0.01,
    CustomerState.EXPANDING: 1.35,
}
"""Usage in each state, relative to healthy."""

_ADOPTION: dict[CustomerState, tuple[float, int]] = {
    CustomerState.ONBOARDING: (0.5, 5),
    CustomerState.HEALTHY: (0.85, 9),
    CustomerState.DRIFTING: (0.5, 5),
    CustomerState.AT_RISK: (0.2, 2),
    CustomerState.CHURNED: (0.1, 1),
    CustomerState.EXPANDING: (1.0, 12),
}
"""Share of the seats that log in, and how many features they use."""

_ERROR_CHANCE: dict[CustomerState, float] = {CustomerState.DRIFTING: 0.02, CustomerState.AT_RISK: 0.05}
_WEEKDAY_WEIGHTS = (1.0, 1.05, 1.05, 1.0, 0.85, 0.12, 0.08)
_HOUR_WEIGHTS = (0, 0, 0, 0, 0, 1, 3, 8, 14, 16, 15, 12, 8, 12, 15, 14, 11, 7, 4, 2, 1, 1, 0, 0)
_HOURS = range(24)
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday


def usage_on(
    account: SimAccount, state: CustomerState, day: int, per_seat: float, seed: int, prefix: str
) -> Iterator[UsageEvent]:
    """
    Yield one account's usage on one UTC day, in no order.

    ``day`` counts from 1970-01-01; ``per_seat`` is the mean of a seat's events on a healthy working day;
    ``prefix`` starts every event id.
    """
    draw = random_stream(seed, account.account_id, day, "usage")
    mean = per_seat * account.seats * ACTIVITY[state] * _WEEKDAY_WEIGHTS[(day + _EPOCH_WEEKDAY) % 7]
    reach, breadth = _ADOPTION[state]
    users = account.users[: max(1, round(reach * account.seats))]
    error_chance = _ERROR_CHANCE.get(state, 0.006)
    count = poisson(draw, mean)
    for n, hour in enumerate(draw.choices(_HOURS, _HOUR_WEIGHTS, k=count)):
        at = day * DAY + (hour - account.zone_hours) % 24 * HOUR + int(draw.random() * HOUR)
        feature = FEATURES[int(breadth * draw.random() ** 1.5)]
        yield UsageEvent(
            event_id=f"{prefix}-u{n:x}",
            tenant="",
            account_id=account.account_id,
            source="segment",
            occurred_at=at,
            received_at=0,
            user_id=users[int(draw.random() * len(users))],
            name=f"{feature.capitalize()} Used",
            feature=feature,
            duration_ms=int(draw.expovariate(1 / 90_000)),
            error=draw.random() < error_chance,
            latency_ms=int(draw.lognormvariate(5.3, 0.5)),
        )
