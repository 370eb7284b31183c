"""An account at one moment, with what several measures need computed once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cached_property
from statistics import median

import numpy as np
from numpy.typing import NDArray

from processors.measures.calendar import holidays
from processors.measures.queries import customer_since, recurring_revenue, seats_bought, subscription
from processors.state.account import RING_DAYS, Day, State, Subscription, Ticket
from processors.state.activity import least_activity, masks_on
from processors.state.usage_parts import PAST, USERS
from schemas.times import DAY, EPOCH

__all__ = ["MONTH", "View"]

MONTH = 365.25 / 12
"""Days of a mean month."""

_NONE = Day()
_RECENT = 35
_WEEKS = 8
_BESIDE_USAGE = (
    "answers", "churned", "holidays", "months", "revenue", "seats", "solved", "subscription", "tickets",
)  # fmt: skip
"""What is computed once and doesn't come from usage."""


class View:
    """
    A state at *now* (journal time, UTC milliseconds); it must not change while the view is used.

    The age of a UTC day is 0 for today's, 1 for yesterday's, and so on.
    """

    def __init__(self, state: State, now: int) -> None:
        self.state = state
        self.now = now
        self.today = now // DAY
        self._sums: dict[tuple[int, int], Day] = {}
        self._counts: dict[tuple[str, int], int] = {}

    def later(self, now: int, *, changed: int) -> View:
        """
        Return the view at *now*, on the same day, when nothing but usage came since.

        What is not among the parts that changed is not looked up again.
        """
        view = View(self.state, now)
        known, carried = self.__dict__, view.__dict__
        for name in _BESIDE_USAGE:
            if name in known:
                carried[name] = known[name]
        if not changed & USERS:
            view._counts = self._counts
        if not changed & PAST:
            view._sums = self._sums
            if "recent" in known:
                carried["recent"] = known["recent"]
        if not changed & PAST and "events" in known:
            events = carried["events"] = known["events"]
            bucket = self.state.usage.days.get(self.today)
            events[0] = 0 if bucket is None else bucket.events
            for name in ("weeks", "usual_week"):
                if name in known:
                    carried[name] = known[name]
        return view

    def age(self, at: int) -> int:
        """Return the age of the day of a time in UTC milliseconds; a time ahead is of today."""
        return max(0, self.today - at // DAY)

    @cached_property
    def events(self) -> list[int]:
        """The usage events of each day by its age, up to 90."""
        counts = [0] * (RING_DAYS + 1)
        today = self.today
        for day, bucket in self.state.usage.days.items():
            if 0 <= (age := today - day) <= RING_DAYS:
                counts[age] = bucket.events
        return counts

    @cached_property
    def weeks(self) -> list[int]:
        """The usage events of the up to 8 whole weeks before the last 8 days, since the first usage."""
        first = self.state.usage.first_at
        known = 0 if first is None else (self.today - 7 - first // DAY) // 7
        events = self.events
        return [sum(events[start : start + 7]) for start in range(8, 8 + 7 * min(known, _WEEKS), 7)]

    @cached_property
    def usual_week(self) -> float | None:
        """The median of these weeks; ``None`` of less than two."""
        return median(self.weeks) if len(self.weeks) >= 2 else None

    @cached_property
    def recent(self) -> list[Day]:
        """The usage of each of the last 35 days by its age."""
        days, today = self.state.usage.days, self.today
        return [days.get(today - age, _NONE) for age in range(_RECENT)]

    @cached_property
    def week(self) -> Day:
        """The usage of the last 7 days, today included, summed."""
        return self._with_today(self._summed(1, 7))

    @cached_property
    def month(self) -> Day:
        """The usage of the last 28 days, today included, summed."""
        return self._with_today(self._summed(1, 28))

    @cached_property
    def month_before(self) -> Day:
        """The usage of the 28 days before the last 7, summed."""
        return self._summed(7, 35)

    def _with_today(self, past: Day) -> Day:
        today = self.recent[0]
        return Day(
            events=past.events + today.events,
            errors=past.errors + today.errors,
            duration_ms=past.duration_ms + today.duration_ms,
            latency_ms=past.latency_ms + today.latency_ms,
            latencies=past.latencies + today.latencies,
        )

    def _summed(self, first: int, end: int) -> Day:
        known = self._sums.get((first, end))
        if known is None:
            days = [day for day in self.recent[first:end] if day is not _NONE]
            known = self._sums[first, end] = Day(
                events=sum([day.events for day in days]),
                errors=sum([day.errors for day in days]),
                duration_ms=sum([day.duration_ms for day in days]),
                latency_ms=sum([day.latency_ms for day in days]),
                latencies=sum([day.latencies for day in days]),
            )
        return known

    @cached_property
    def active(self) -> NDArray[np.int64]:
        """Each user's active days: bit *i* says "active *i* days ago", for the last 32 days."""
        users = self.state.usage.users
        return masks_on(np.fromiter(users.values(), np.int64, len(users)), self.today)

    def active_users(self, days: int) -> int:
        """Return how many users were active in the last *days* days, today included."""
        least = least_activity(self.today - days + 1)
        return self._counted(
            ("active", days), lambda: sum(map(least.__le__, self.state.usage.users.values()))
        )

    def active_before(self, days: int) -> int:
        """Return how many users were active in the *days* days (16 at most) before the last *days* days."""
        window = ((1 << days) - 1) << days
        return self._counted(("before", days), lambda: int(np.count_nonzero(self.active & window)))

    def user_days(self, days: int) -> int:
        """Return the days each user was active on in the last *days* days (32 at most), summed."""
        window = (1 << days) - 1
        return self._counted(("user days", days), lambda: int(np.bitwise_count(self.active & window).sum()))

    def _counted(self, what: tuple[str, int], count: Callable[[], int]) -> int:
        known = self._counts.get(what)
        if known is None:
            known = self._counts[what] = count()
        return known

    @cached_property
    def holidays(self) -> frozenset[int]:
        """The public holidays around the last 90 days, as UTC day numbers; empty without a country."""
        country = self.state.fact("country")
        if country is None:
            return frozenset()
        years = {(EPOCH + timedelta(days=day)).year for day in (self.today - RING_DAYS, self.today)}
        return frozenset().union(*(holidays(country, year) for year in years))

    @cached_property
    def tickets(self) -> list[Ticket]:
        """The tickets that were not taken back."""
        return [ticket for ticket in self.state.tickets.values() if not ticket.deleted]

    @cached_property
    def solved(self) -> list[tuple[Ticket, int]]:
        """The tickets solved in the last 90 days, and when."""
        found = []
        for ticket in self.tickets:
            at = ticket.solved_at if ticket.solved_at >= 0 else ticket.status[0]
            if not ticket.open and self.age(at) < RING_DAYS:
                found.append((ticket, at))
        return found

    @cached_property
    def answers(self) -> dict[str, dict[str, tuple[int, int]]]:
        """The newest answer (time, score) of each person by the kind of survey; refusals are left out."""
        found: dict[str, dict[str, tuple[int, int]]] = {}
        for key, ((at, _), kind, score) in self.state.surveys.items():
            if score is not None:
                by_person = found.setdefault(kind, {})
                person = key.partition("\n")[2]
                if not person:
                    person = key
                by_person[person] = max(by_person.get(person, (-1, 0)), (at, score))
        return found

    @cached_property
    def subscription(self) -> Subscription | None:
        """The subscription that speaks for the account."""
        return subscription(self.state)

    @cached_property
    def churned(self) -> bool:
        """Whether the account is no customer any more."""
        current = self.subscription
        return (current is not None and current.status == "canceled") or self.state.fact("stage") == "churned"

    @cached_property
    def revenue(self) -> tuple[int, str | None] | None:
        """The recurring revenue a month, in minor units, and its currency."""
        return recurring_revenue(self.state)

    @cached_property
    def months(self) -> float | None:
        """The months for which the account has been a customer."""
        since = customer_since(self.state)
        return None if since is None else self.age(since) / MONTH

    @cached_property
    def seats(self) -> int | None:
        """The seats bought, as far as known."""
        return seats_bought(self.state)
