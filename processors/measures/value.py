"""What the customer gets out of it: goals and their worth."""

from __future__ import annotations

from processors.measures.measured import BILLING, ENGAGEMENT, PROFILES, MeasureValue, measure
from processors.measures.view import View
from processors.measures.wording import count, money
from processors.state.account import Aim
from schemas.times import DAY

__all__ = ["goals", "roi"]


@measure(
    "value.goals",
    unit="ratio",
    window="all goals known",
    sources=(ENGAGEMENT,),
    needs="a goal set or achieved",
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
    said = f"{achieved} of {count(len(aims), 'goal')} achieved" + (f", {late} past the date" if late else "")
    return MeasureValue(1 - late / len(aims), said)


@measure(
    "value.roi",
    unit="ratio",
    window="goals achieved in 365 days, against a year's price",
    sources=(ENGAGEMENT, BILLING, PROFILES),
    needs="a goal achieved whose worth is known, and recurring revenue in the same currency",
)
def roi(view: View) -> MeasureValue:
    """Return what the goals achieved in a year are worth to the customer over what it pays in a year."""
    revenue = view.revenue
    achieved = [
        a for a in _goals(view) if a.worth_minor is not None and a.done_at >= 0 and view.age(a.done_at) < 365
    ]
    if revenue is None or not revenue[0] or not achieved:
        return MeasureValue(None, "No achieved goal's worth, or no price, is known")
    if any(aim.currency not in (None, revenue[1]) for aim in achieved):
        return MeasureValue(None, "Worth and price are in different currencies")
    worth, price = sum(aim.worth_minor or 0 for aim in achieved), 12 * revenue[0]
    said = f"Goals worth {money(worth, revenue[1])} for {money(price, revenue[1])} a year"
    return MeasureValue(worth / price, said, as_of=max(aim.done_at for aim in achieved))


def _goals(view: View) -> list[Aim]:
    return [aim for key, aim in view.state.aims.items() if key.startswith("goal\n")]
