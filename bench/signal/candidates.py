"""Candidates for measures: what was tried as a sign beside the measures of the product, by the same fits."""

from __future__ import annotations

from array import array
from collections import defaultdict

from processors.view import View
from schemas.records import UsageCell
from schemas.times import DAY

__all__ = ["CANDIDATES", "WeeklyPeople", "candidate_values"]

CANDIDATES = (
    "people.year", "support.surge", "engagement.quiet", "usage.features_lost",
    "tickets.bad_share",
)  # fmt: skip
"""The names of the candidates, in the order of ``candidate_values``."""


class WeeklyPeople:
    """The number of people of each account and week, for a year."""

    def __init__(self) -> None:
        self._seen: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))

    def add(self, place: int, cell: UsageCell) -> None:
        """Add the people of a cell to their week."""
        self._seen[place][cell.day // 7].update(array("I", cell.users))

    def change(self, place: int, today: int) -> float:
        """Return the change from the usual people of a week, of up to a year, to those of the last four."""
        weeks = self._seen[place]
        newest = today // 7 - 1
        first = min(weeks, default=newest)
        counts = [len(weeks.get(week, ())) for week in range(newest, max(first, newest - 52), -1)]
        past = sorted(counts[4:])
        if len(past) < 8:
            return 0.0
        usual, now = past[3 * len(past) // 4], sum(counts[:4]) / 4
        return (now + 1) / (usual + 1) - 1


def candidate_values(view: View, people: float) -> list[float]:
    """Return the values of the candidates; ``people`` is that of weekly people."""
    return [people, _surge(view), _quiet(view), _features_lost(view), _bad_share(view)]


def _surge(view: View) -> float:
    """Return the tickets of 28 days against what the 62 days before let expect; 1: as many."""
    ages = [view.age(ticket.opened_at) for ticket in view.tickets]
    now, before = sum(age < 28 for age in ages), sum(28 <= age < 90 for age in ages)
    return (now + 1) / (before * 28 / 62 + 1)


def _quiet(view: View) -> float:
    """Return the change of contact from the 90 days before to the last 45."""
    ages = [
        view.age(at) for kind in ("touch", "meeting", "email_received", "training_attended")
        for at in view.state.moments.get(kind, ())
    ]  # fmt: skip
    now, before = sum(age < 45 for age in ages), sum(45 <= age < 135 for age in ages)
    return (now + 1) / (before / 2 + 1) - 1


def _features_lost(view: View) -> float:
    """Return the share of the features of 90 days that were not used in 28."""
    days = view.state.usage.features.values()
    seen = [view.today - day for day in days if view.today - day < 90]
    return sum(age >= 28 for age in seen) / (len(seen) + 2)


def _bad_share(view: View) -> float:
    """Return the share of the tickets of 45 days that went badly, two good ones added."""
    recent = [ticket for ticket in view.tickets if view.age(ticket.opened_at) < 45]
    bad = 0
    for ticket in recent:
        ended = view.today if ticket.open else max(ticket.solved_at, ticket.status[0]) // DAY
        slow = ended - ticket.opened_at // DAY > 3
        bad += slow or bool(ticket.reopens) or ticket.escalated_at >= 0 or (ticket.csat or 5) <= 2
    return bad / (len(recent) + 2)
