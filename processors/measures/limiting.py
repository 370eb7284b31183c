"""Facts that hold a score down: what caps are about. They are known to be quiet when nothing was reported."""

from __future__ import annotations

from processors.measures import onboarding, people
from processors.measures.measured import ENGAGEMENT, PROFILES, SURVEYS, USAGE, USERS, MeasureValue, measure
from processors.measures.queries import open_tickets
from processors.measures.view import View
from processors.measures.wording import count
from processors.state.account import RING_DAYS
from schemas.times import DAY, HOUR

__all__ = ["cancellation", "champion_left", "detractors", "sponsor_gone", "stalled", "urgent"]


@measure(
    "billing.cancellation",
    unit="0 none, 1 scheduled, 2 in effect",
    window="now",
    sources=("billing.events",),
    needs="nothing: no subscription is no cancellation",
)
def cancellation(view: View) -> MeasureValue:
    """Tell whether a cancellation is scheduled or in effect."""
    current = view.subscription
    if current is not None and current.status == "canceled":
        return MeasureValue(2, "Subscription canceled")
    if current is not None and current.status == "canceling":
        return MeasureValue(1, "Cancellation scheduled", until=current.cancel_at)
    return MeasureValue(0, "No cancellation known")


@measure(
    "support.urgent",
    unit="hours",
    window="now",
    sources=("support.events",),
    needs="nothing: no ticket is a fact",
)
def urgent(view: View) -> MeasureValue:
    """Return the whole hours that the oldest open urgent ticket has been open."""
    opened = [ticket.opened_at for _, ticket in open_tickets(view.state) if ticket.severity == "urgent"]
    if not opened:
        return MeasureValue(0, "No urgent ticket open")
    hours = max(0, view.now - min(opened)) // HOUR
    return MeasureValue(hours, f"Urgent ticket open for {hours} hours")


@measure(
    "engagement.champion_left",
    unit="0 no, 1 yes",
    window="the last departure heard of",
    sources=("engagement.events",),
    needs="nothing: no departure is a fact",
)
def champion_left(view: View) -> MeasureValue:
    """Tell whether a champion left, held from the day of the departure."""
    left = view.state.engagement.get("champion_left")
    return (
        MeasureValue(0, "No champion left")
        if left is None
        else MeasureValue(1, "The champion left", as_of=left)
    )


@measure(
    "engagement.sponsor_gone",
    unit="0 no, 1 yes",
    window="the last departure, or 90 days",
    sources=(ENGAGEMENT, USAGE),
    needs="nothing: no sponsor named is a fact",
    reads=USERS,
)
def sponsor_gone(view: View) -> MeasureValue:
    """Tell whether the sponsor left, held from the day of the departure, or was not heard of in 90 days."""
    heard = people.sponsor(view)
    if heard.value is None or heard.value < RING_DAYS:
        return MeasureValue(0, "No sponsor gone")
    return MeasureValue(1, heard.reason, heard.as_of)


@measure(
    "onboarding.stalled",
    unit="days",
    window="since the last step, or past its date",
    sources=(ENGAGEMENT, PROFILES),
    needs="nothing: no milestone is a fact",
)
def stalled(view: View) -> MeasureValue:
    """Return the days for which onboarding has not moved, held from the day since which it hasn't."""
    days = onboarding.stall(view)
    if not days.value:
        return MeasureValue(0, "No onboarding stalled")
    return MeasureValue(
        days.value, f"Onboarding stalled: {days.reason}", as_of=(view.today - int(days.value)) * DAY
    )


@measure(
    "surveys.detractors",
    unit="people",
    window="90 days, the newest answer of each person",
    sources=(SURVEYS,),
    needs="nothing: no answer is no detractor",
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
