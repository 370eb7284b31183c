"""Facts that hold a score down: what caps are about. They are known to be quiet when nothing was reported."""

from __future__ import annotations

from processors.measures.measured import Fact, measure
from processors.measures.reading import open_tickets
from processors.measures.view import View

__all__ = ["cancellation", "champion_left", "urgent"]

HOUR = 3_600_000


@measure(
    "billing.cancellation",
    unit="0 none, 1 scheduled, 2 in effect",
    window="now",
    sources=("billing.events",),
    needs="nothing: no subscription is no cancellation",
)
def cancellation(view: View) -> Fact:
    """Tell whether a cancellation is scheduled or in effect."""
    current = view.subscription
    if current is not None and current.status == "canceled":
        return Fact(2, "Subscription canceled")
    if current is not None and current.status == "canceling":
        return Fact(1, "Cancellation scheduled", until=current.cancel_at)
    return Fact(0, "No cancellation known")


@measure(
    "support.urgent",
    unit="hours",
    window="now",
    sources=("support.events",),
    needs="nothing: no ticket is a fact",
)
def urgent(view: View) -> Fact:
    """Return the whole hours that the oldest open urgent ticket has been open."""
    opened = [ticket.opened_at for _, ticket in open_tickets(view.state) if ticket.severity == "urgent"]
    if not opened:
        return Fact(0, "No urgent ticket open")
    hours = max(0, view.now - min(opened)) // HOUR
    return Fact(hours, f"Urgent ticket open for {hours} hours")


@measure(
    "engagement.champion_left",
    unit="0 no, 1 yes",
    window="the last departure heard of",
    sources=("engagement.events",),
    needs="nothing: no departure is a fact",
)
def champion_left(view: View) -> Fact:
    """Tell whether a champion left, held from the day of the departure."""
    left = view.state.engagement.get("champion_left")
    return Fact(0, "No champion left") if left is None else Fact(1, "The champion left", as_of=left)
