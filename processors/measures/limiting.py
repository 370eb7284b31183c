"""
Measures of bad news that a cap holds a score down by.

Where nothing was reported their value is known to be 0, so that silence is no reason for a cap.
"""

from __future__ import annotations

from processors.measures import onboarding, people
from processors.measures.definition import (
    BILLING,
    ENGAGEMENT,
    PROFILES,
    SUPPORT,
    SURVEYS,
    USAGE,
    MeasureValue,
    measure,
)
from processors.measures.example import ago
from processors.measures.formats import count
from processors.state.account import RING_DAYS
from processors.state.usage_parts import USERS
from processors.view import View
from processors.view.queries import open_tickets
from schemas.records import BillingEvent, EngagementEvent, SupportEvent, SurveyResponse
from schemas.times import DAY, HOUR

__all__ = ["cancellation", "champion_left", "detractors", "sponsor_gone", "stalled", "urgent"]

_STEP_DAYS = 14
"""A step of onboarding without a date may take so long."""


@measure(
    "billing.cancellation",
    kpi="Churn, cancel and downgrade signals",
    unit="0 none, 1 scheduled, 2 in effect",
    window="now",
    sources=(BILLING,),
    needs="nothing: 0 without a subscription",
    example=(
        ago(300, BillingEvent, kind="subscription_started", subscription_id="s-1"),
        ago(2, BillingEvent, kind="cancel_scheduled", subscription_id="s-1", cancel_at=28),
    ),
)
def cancellation(view: View) -> MeasureValue:
    """Return 1 while a cancellation is scheduled, 2 when it is in effect, otherwise 0."""
    current = view.subscription
    if current is not None and current.status == "canceled" and current.standing != "expired":
        return MeasureValue(2, "Subscription canceled")
    if current is not None and current.status == "canceling":
        return MeasureValue(1, "Cancellation scheduled", until=current.cancel_at)
    return MeasureValue(0, "No cancellation known")


@measure(
    "support.urgent",
    kpi="Open ticket age by severity",
    unit="hours",
    window="now",
    sources=(SUPPORT,),
    needs="nothing: 0 without a ticket",
    example=(ago(2.25, SupportEvent, ticket_id="1", kind="opened", severity="urgent"),),
)
def urgent(view: View) -> MeasureValue:
    """Return the whole hours for which the oldest open urgent ticket has been open."""
    opened = [ticket.opened_at for _, ticket in open_tickets(view.state) if ticket.severity == "urgent"]
    if not opened:
        return MeasureValue(0, "No urgent ticket open")
    hours = max(0, view.now - min(opened)) // HOUR
    return MeasureValue(hours, f"Urgent ticket open for {count(hours, 'hour')}")


@measure(
    "engagement.champion_left",
    kpi="Champion activity",
    unit="0 no, 1 yes",
    window="the last departure reported",
    sources=(ENGAGEMENT,),
    needs="nothing: 0 without a departure",
    example=(ago(20, EngagementEvent, kind="champion_left", user_id="ann"),),
)
def champion_left(view: View) -> MeasureValue:
    """Return 1 when a champion has left, with the day of the departure as its age; otherwise 0."""
    left = view.state.engagement.get("champion_left")
    return (
        MeasureValue(0, "No champion left")
        if left is None
        else MeasureValue(1, "The champion left", as_of=left)
    )


@measure(
    "engagement.sponsor_gone",
    kpi="Sponsor activity",
    unit="0 no, 1 yes",
    window="the last departure, or 90 days",
    sources=(ENGAGEMENT, USAGE),
    needs="nothing: 0 without a sponsor",
    example=(
        ago(85, EngagementEvent, kind="sponsor_named", user_id="ben"),
        ago(20, EngagementEvent, kind="sponsor_left", user_id="ben"),
    ),
    reads=USERS,
)
def sponsor_gone(view: View) -> MeasureValue:
    """Return 1 when the sponsor has left, or has neither used the product nor been in contact for 90 days."""
    activity = people.sponsor(view)
    if activity.value is None or activity.value < RING_DAYS:
        return MeasureValue(0, "No sponsor gone")
    return MeasureValue(1, activity.reason, activity.as_of)


@measure(
    "onboarding.stalled",
    kpi="Onboarding stall",
    unit="days",
    window="past its date, or past 14 days after the last step",
    sources=(ENGAGEMENT, PROFILES),
    needs="nothing: 0 without a milestone",
    example=(ago(60, EngagementEvent, kind="milestone_set", name="Single sign-on", due_at=-16),),
)
def stalled(view: View) -> MeasureValue:
    """
    Return the days for which onboarding is late, with the day since which it is as the age of the evidence.

    A milestone with a date is late after it; without one it may take 14 days after the last step.
    """
    days = onboarding.unmoved(view, patience=_STEP_DAYS)
    if not days.value:
        return MeasureValue(0, "No onboarding stalled")
    return MeasureValue(
        days.value, f"Onboarding stalled: {days.reason}", as_of=(view.today - int(days.value)) * DAY
    )


@measure(
    "surveys.detractors",
    kpi="NPS",
    unit="people",
    window="90 days, the newest answer of each person",
    sources=(SURVEYS,),
    needs="nothing: 0 without an answer",
    example=(
        ago(30, SurveyResponse, survey_id="q", user_id="ann", kind="nps", score=3),
        ago(29, SurveyResponse, survey_id="q", user_id="ben", kind="nps", score=5),
    ),
)
def detractors(view: View) -> MeasureValue:
    """Return by how many people those who answer NPS with 0 to 6 outnumber those with 9 or 10; 0 if not."""
    answers = [(at, score) for at, score in view.answers.get("nps", {}).values() if view.age(at) < RING_DAYS]
    against = [at for at, score in answers if score <= 6]
    more = len(against) - sum(score >= 9 for _, score in answers)
    if more <= 0:
        return MeasureValue(0, "No more detractors than promoters")
    return MeasureValue(
        more, f"{count(len(against), 'detractor')} of {count(len(answers), 'NPS answer')}", as_of=max(against)
    )
