"""Measures of the account itself."""

from __future__ import annotations

from processors.measures.definition import USAGE, MeasureValue, measure
from processors.measures.example import ago
from processors.measures.formats import count
from processors.state.usage_parts import PAST
from processors.view import View
from schemas.records import UsageEvent

__all__ = ["tenure"]


@measure(
    "account.tenure",
    kpi="Seat utilisation by tenure",
    unit="days",
    window="since the first usage",
    sources=(USAGE,),
    needs="any usage event",
    example=(ago(80, UsageEvent, name="Signed up"),),
    reads=PAST,
)
def tenure(view: View) -> MeasureValue:
    """Return the days since the day of the first usage."""
    first = view.usage.first_at
    if first is None:
        return MeasureValue(None, "No product usage seen yet")
    days = view.age(first)
    return MeasureValue(days, f"In the product for {count(days, 'day')}")
