"""Support tickets of the simulated customers: how many, how severe, and how they end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from bellbuoy.simulator.world.accounts import SimAccount
from bellbuoy.simulator.world.random_streams import poisson, random_stream
from bellbuoy.simulator.world.states import CustomerState
from schemas.records import SupportEvent
from schemas.times import DAY, HOUR, MINUTE

__all__ = ["tickets_on"]

_SUBJECTS = (
    "Export stops half way", "Numbers differ between two reports", "Cannot invite a colleague",
    "Sign-in loops", "Import rejects our file", "Dashboard is slow this morning", "Alert came too late",
    "Question about the invoice",
)  # fmt: skip
_SEVERITIES = ("low", "normal", "high", "urgent")


@dataclass(frozen=True, slots=True)
class _SupportProfile:
    tickets: float  # opened a day by an account of 20 seats
    severities: tuple[int, int, int, int]
    reopened: float
    hours_to_solve: float
    csat: tuple[int, int, int, int, int]


_SATISFIED = _SupportProfile(0.012, (40, 50, 9, 1), 0.05, 14, (1, 2, 6, 40, 51))
_PROFILES = {
    CustomerState.ONBOARDING: _SupportProfile(0.05, (30, 60, 9, 1), 0.08, 12, (1, 3, 10, 45, 41)),
    CustomerState.HEALTHY: _SATISFIED,
    CustomerState.EXPANDING: _SATISFIED,
    CustomerState.DRIFTING: _SupportProfile(0.03, (20, 50, 25, 5), 0.15, 30, (8, 12, 25, 35, 20)),
    CustomerState.AT_RISK: _SupportProfile(0.07, (10, 35, 37, 18), 0.30, 70, (30, 25, 25, 15, 5)),
}


def tickets_on(
    account: SimAccount, state: CustomerState, day: int, seed: int, prefix: str
) -> Iterator[SupportEvent]:
    """
    Yield all events of each ticket that is opened on one UTC day, those of later days included.

    ``day`` counts from 1970-01-01; ``prefix`` starts every event and ticket id.
    """
    profile = _PROFILES.get(state)
    if profile is None:
        return
    draw = random_stream(seed, account.account_id, day, "support")
    for n in range(poisson(draw, profile.tickets * (0.4 + account.seats / 33))):
        at = day * DAY + int(draw.random() * DAY)
        severity = draw.choices(_SEVERITIES, profile.severities)[0]
        subject = draw.choice(_SUBJECTS)
        for step, (kind, when, csat) in enumerate(_ticket_events(profile, at, draw)):
            yield SupportEvent(
                event_id=f"{prefix}-t{n}-{step}",
                tenant="",
                account_id=account.account_id,
                source="zendesk",
                occurred_at=when,
                received_at=0,
                ticket_id=f"{prefix}-t{n}",
                kind=kind,
                severity=severity,
                csat=csat,
                subject=subject if kind == "opened" else None,
            )


def _ticket_events(
    profile: _SupportProfile, opened: int, draw: Random
) -> Iterator[tuple[str, int, int | None]]:
    yield "opened", opened, None
    at = opened + 5 * MINUTE + int(draw.expovariate(1 / (profile.hours_to_solve / 4 * HOUR)))
    yield "answered", at, None
    if draw.random() < 0.5:
        at += 10 * MINUTE + int(draw.expovariate(1 / (3 * HOUR)))
        yield "replied", at, None
        at += 10 * MINUTE + int(draw.expovariate(1 / (3 * HOUR)))
        yield "answered", at, None
    at += 10 * MINUTE + int(draw.expovariate(1 / (profile.hours_to_solve * HOUR)))
    yield "solved", at, None
    if draw.random() < profile.reopened:
        at += HOUR + int(draw.expovariate(1 / (20 * HOUR)))
        yield "reopened", at, None
        at += HOUR + int(draw.expovariate(1 / (profile.hours_to_solve * HOUR)))
        yield "solved", at, None
    if draw.random() < 0.35:
        at += 10 * MINUTE + int(draw.expovariate(1 / (5 * HOUR)))
        yield "rated", at, draw.choices((1, 2, 3, 4, 5), profile.csat)[0]
