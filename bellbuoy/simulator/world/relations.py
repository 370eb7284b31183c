"""Events of a customer success team: profiles, survey answers, contacts and milestones."""

from __future__ import annotations

from collections.abc import Iterator

from bellbuoy.simulator.world.accounts import CURRENCY, SimAccount
from bellbuoy.simulator.world.random_streams import random_stream
from bellbuoy.simulator.world.states import CustomerState, StatePath
from schemas.records import AccountProfile, EngagementEvent, SurveyResponse
from schemas.times import DAY, HOUR

__all__ = ["contacts_on", "profile_on", "surveys_on"]

_NPS: dict[CustomerState, tuple[float, float, float]] = {
    # mean, spread, and the chance to answer at all
    CustomerState.ONBOARDING: (7.8, 1.5, 0.6),
    CustomerState.HEALTHY: (8.4, 1.4, 0.5),
    CustomerState.EXPANDING: (9.1, 0.9, 0.6),
    CustomerState.DRIFTING: (6.2, 2.0, 0.3),
    CustomerState.AT_RISK: (3.6, 2.2, 0.2),
}
_CONTACT_CHANCE: dict[CustomerState, float] = {
    CustomerState.ONBOARDING: 0.14,
    CustomerState.AT_RISK: 0.03,
    CustomerState.DRIFTING: 0.03,
}
_MILESTONES = ("first_login", "data_connected", "team_invited", "first_report", "go_live")


def profile_on(
    account: SimAccount, path: StatePath, day: int, start: int, prefix: str
) -> Iterator[AccountProfile]:
    """Yield the whole profile on day 0 of the simulation, and changes of the stage on later days."""
    state = path.state_on(day)
    stage = {CustomerState.ONBOARDING: "onboarding", CustomerState.CHURNED: "churned"}.get(state, "adopted")
    profile = AccountProfile(
        event_id=f"{prefix}-p{day}",
        tenant="",
        account_id=account.account_id,
        source="segment",
        occurred_at=start if day == 0 else (start // DAY + day) * DAY + 20 * HOUR,
        received_at=0,
        name=account.name,
        segment=account.segment,
        stage=stage,
        owner=account.owner,
        arr_minor=12 * account.mrr_minor,
        currency=CURRENCY,
        seats=account.seats,
        domain=account.domain,
    )
    if day == 0:
        yield profile
    elif path.entered(day) and (
        state is CustomerState.CHURNED or path.state_on(day - 1) is CustomerState.ONBOARDING
    ):
        yield AccountProfile(
            event_id=profile.event_id,
            tenant="",
            account_id=profile.account_id,
            source=profile.source,
            occurred_at=profile.occurred_at,
            received_at=0,
            stage=stage,
        )


def surveys_on(
    account: SimAccount, state: CustomerState, day: int, seed: int, prefix: str
) -> Iterator[SurveyResponse]:
    """Yield answers and refusals to the survey of every 30 days; ``day`` counts from 1970-01-01."""
    if (day + account.index) % 30 or state not in _NPS:
        return
    draw = random_stream(seed, account.account_id, day, "survey")
    mean, spread, answers = _NPS[state]
    for n in range(min(3, len(account.users))):
        score = min(10, max(0, round(draw.gauss(mean, spread)))) if draw.random() < answers else None
        yield SurveyResponse(
            event_id=f"{prefix}-n{n}",
            tenant="",
            account_id=account.account_id,
            source="survey",
            occurred_at=day * DAY + int((9 + 8 * draw.random()) * HOUR),
            received_at=0,
            survey_id=f"nps-{day // 30}",
            user_id=account.users[n],
            kind="nps",
            score=score,
        )


def contacts_on(
    account: SimAccount, path: StatePath, day: int, start: int, seed: int, prefix: str
) -> Iterator[EngagementEvent]:
    """Yield contacts and milestones of adoption; ``day`` counts from the start of the simulation."""
    state = path.state_on(day)
    draw = random_stream(seed, account.account_id, day, "contact")
    at = (start // DAY + day) * DAY + int((9 + 8 * draw.random()) * HOUR)
    kinds: list[tuple[str, str | None]] = []
    if draw.random() < _CONTACT_CHANCE.get(state, 0.07) and state is not CustomerState.CHURNED:
        kinds.append((draw.choice(("meeting", "email_received", "touch")), None))
    if (
        state is CustomerState.ONBOARDING
        and path.days_in(day) % 6 == 3
        and path.days_in(day) // 6 < len(_MILESTONES)
    ):
        kinds.append(("milestone_reached", _MILESTONES[path.days_in(day) // 6]))
    if state is CustomerState.DRIFTING and path.entered(day) and draw.random() < 0.15:
        kinds.append(("champion_left", None))
    for n, (kind, name) in enumerate(kinds):
        yield EngagementEvent(
            event_id=f"{prefix}-e{n}",
            tenant="",
            account_id=account.account_id,
            source="crm",
            occurred_at=at + n * 1000,
            received_at=0,
            user_id=account.users[0],
            kind=kind,
            name=name,
        )
