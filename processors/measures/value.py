"""Measures of what the customer gets out of the product: its goals and what they are worth."""

from __future__ import annotations

from processors.measures.definition import BILLING, ENGAGEMENT, PROFILES, MeasureValue, measure
from processors.measures.example import ago
from processors.measures.formats import count, money
from processors.state.account import Aim
from processors.view import View
from schemas.records import BillingEvent, EngagementEvent
from schemas.times import DAY

__all__ = ["goals", "roi"]

_GOAL_ACHIEVED = ago(
    25, EngagementEvent, kind="goal_achieved", name="Close in 3 days", worth_minor=4_000_000, currency="EUR"
)


@measure(
    "value.goals",
    kpi="Goals met",
    unit="ratio",
    window="all goals known",
    sources=(ENGAGEMENT,),
    needs="a goal set or achieved",
    example=(
        ago(80, EngagementEvent, kind="goal_set", name="Close in 3 days", due_at=-20),
        ago(80, EngagementEvent, kind="goal_set", name="One report", due_at=-2),
        _GOAL_ACHIEVED,
    ),
)
def goals(view: View) -> MeasureValue:
    """Return the share of the customer's goals that are achieved or not yet past their date."""
    aims = _goals(view)
    if not aims:
        return MeasureValue(None, "No goal known")
    achieved = sum(1 for aim in aims if aim.done_at >= 0)
    late = sum(
        1 for aim in aims if aim.done_at < 0 and aim.due_at is not None and aim.due_at // DAY < view.today
    )
    reason = f"{achieved} of {count(len(aims), 'goal')} achieved" + (
        f", {late} past the date" if late else ""
    )
    return MeasureValue(1 - late / len(aims), reason)


@measure(
    "value.roi",
    kpi="Customer ROI",
    unit="ratio",
    window="goals achieved in 365 days, against a year's price",
    sources=(ENGAGEMENT, BILLING, PROFILES),
    needs="a goal achieved whose worth is known, and recurring revenue in the same currency",
    example=(
        ago(
            400,
            BillingEvent,
            kind="subscription_started",
            subscription_id="s-1",
            mrr_minor=90_000,
            currency="EUR",
        ),
        _GOAL_ACHIEVED,
    ),
)
def roi(view: View) -> MeasureValue:
    """Return what the goals achieved in a year are worth to the customer, divided by its price of a year."""
    revenue = view.revenue
    achieved = [
        a for a in _goals(view) if a.worth_minor is not None and a.done_at >= 0 and view.age(a.done_at) < 365
    ]
    if revenue is None or not revenue[0] or not achieved:
        return MeasureValue(None, "No achieved goal's worth, or no price, is known")
    if any(aim.currency not in (None, revenue[1]) for aim in achieved):
        return MeasureValue(None, "Worth and price are in different currencies")
    worth, price = sum(aim.worth_minor or 0 for aim in achieved), 12 * revenue[0]
    reason = f"Goals worth {money(worth, revenue[1])} for {money(price, revenue[1])} a year"
    return MeasureValue(worth / price, reason, as_of=max(aim.done_at for aim in achieved))


def _goals(view: View) -> list[Aim]:
    return [aim for key, aim in view.state.aims.items() if key.startswith("goal\n")]
