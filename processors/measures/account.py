"""What is known of the account itself."""

from __future__ import annotations

from processors.measures.measured import PAST, USAGE, MeasureValue, measure
from processors.measures.view import View
from processors.measures.wording import count

__all__ = ["tenure"]


@measure(
    "account.tenure",
    unit="days",
    window="since the first usage",
    sources=(USAGE,),
    needs="any usage event",
    reads=PAST,
)
def tenure(view: View) -> MeasureValue:
    """Return the days since the day of the first usage."""
    first = view.state.usage.first_at
    if first is None:
        return MeasureValue(None, "No product usage seen yet")
    days = view.age(first)
    return MeasureValue(days, f"In the product for {count(days, 'day')}")
