"""View of an account at one time: computes once what several measures need."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from datetime import timedelta
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from processors.state.account import RING_DAYS, Day, State, Subscription, Ticket, Usage
from processors.state.activity import least_activity, masks_on, user_days, users_active
from processors.state.usage_parts import FEATURES, PAST, USERS
from processors.view.calendar import holidays
from processors.view.filled import filled, refilled
from processors.view.queries import customer_since, recurring_revenue, seats_bought, subscription
from schemas.times import DAY, EPOCH

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from processors.state.people_counts import PeopleCounts

__all__ = ["BASELINE_WEEKS", "MONTH", "NOTHING_LOST", "LostDays", "View"]

MONTH = 365.25 / 12
"""Days of a mean month."""

BASELINE_WEEKS = 8
"""Whole weeks that an account's usual week is taken from, at most."""

_NO_USAGE = Day()
_RECENT_DAYS = RING_DAYS + 1

_NOT_FROM_USAGE = (
    "answers", "churned", "holidays", "months", "revenue", "seats", "solved", "subscription", "tickets",
)  # fmt: skip
"""The cached properties that usage doesn't change."""


class LostDays(NamedTuple):
    """The UTC days, in order, on which a tenant's events didn't come (``processors.lost_days``)."""

    usage: tuple[int, ...] = ()
    engagement: tuple[int, ...] = ()

    def before(self, day: int) -> LostDays:
        """Return those before a UTC day."""
        return LostDays(*(tuple(each for each in days if each < day) for days in self))


NOTHING_LOST = LostDays()


class View:
    """
    An account's state at *now* (journal time, UTC milliseconds); it must not change while the view is used.

    ``usage`` is that of the state, with its ``lost`` days filled in (``processors.view.filled``).

    Properties are computed when first asked for. The age of a UTC day is 0 for today, 1 for yesterday, and so
    on.
    """

    def __init__(
        self, state: State, now: int, lost: LostDays = NOTHING_LOST, usage: Usage | None = None
    ) -> None:
        self.state = state
        if usage is None:
            usage = filled(state.usage, lost.usage, now // DAY) if lost.usage else state.usage
        self.usage = usage
        self.lost = lost
        self.now = now
        self.today = now // DAY
        self._sums: dict[tuple[int, int], Day] = {}
        self._counts: dict[tuple[str, int], int] = {}

    def later(self, now: int, *, changed: int) -> View:
        """
        Return the view at a later time of the same day, when nothing but usage has arrived since.

        What doesn't depend on the ``changed`` parts of the usage (flags of ``processors.state.usage_parts``)
        is taken over.
        """
        usage = None
        if self.lost.usage and not changed & (PAST | USERS | FEATURES):
            usage = refilled(self.usage, self.state.usage, self.lost.usage)
        view = View(self.state, now, self.lost, usage)
        known, carried = self.__dict__, view.__dict__
        for name in _NOT_FROM_USAGE:
            if name in known:
                carried[name] = known[name]
        if not changed & USERS:
            view._counts = self._counts
            if "people" in known:
                carried["people"] = known["people"]
        if not changed & PAST:
            view._sums = self._sums
            if "recent" in known:
                carried["recent"] = known["recent"]
        if not changed & PAST and "events" in known:
            events = carried["events"] = known["events"]
            bucket = self.usage.days.get(self.today)
            events[0] = 0 if bucket is None else bucket.events
            for name in ("weeks", "usual_week"):
                if name in known:
                    carried[name] = known[name]
        return view

    @property
    def unfilled(self) -> View:
        """The same account at the same time with its usage as it came, lost days and all."""
        return self._unfilled if self.lost.usage else self

    @cached_property
    def _unfilled(self) -> View:
        return View(self.state, self.now)

    def age(self, at: int) -> int:
        """Return the age in days of the day of a time (UTC milliseconds); 0 for a time in the future."""
        return max(0, self.today - at // DAY)

    def contact_age(self, at: int) -> int:
        """Return the age in days of the day of a contact, without the days whose contacts were lost."""
        age, lost = self.age(at), self.lost.engagement
        return max(0, age - (len(lost) - bisect_right(lost, at // DAY))) if lost else age

    def contact_lost(self, first: int, end: int) -> bool:
        """Tell whether the contacts of any UTC day from *first* to before *end* were lost."""
        return any(first <= day < end for day in self.lost.engagement)

    @cached_property
    def events(self) -> list[int]:
        """Number of usage events of each day, by its age, up to 90 days."""
        counts = [0] * (RING_DAYS + 1)
        today = self.today
        for day, bucket in self.usage.days.items():
            if 0 <= (age := today - day) <= RING_DAYS:
                counts[age] = bucket.events
        return counts

    @property
    def abandoned(self) -> bool:
        """Whether the product was used once, and on none of the 90 days before today."""
        return self.usage.first_at is not None and not any(self.events[1:])

    @cached_property
    def weeks(self) -> list[int]:
        """Number of usage events of up to 8 whole weeks before the last 8 days, since the first usage."""
        first = self.usage.first_at
        known = 0 if first is None else (self.today - 7 - first // DAY) // 7
        events = self.events
        return [sum(events[start : start + 7]) for start in range(8, 8 + 7 * min(known, BASELINE_WEEKS), 7)]

    @cached_property
    def usual_week(self) -> float | None:
        """Median of ``weeks``; ``None`` with fewer than two."""
        return median(self.weeks) if len(self.weeks) >= 2 else None

    @cached_property
    def recent(self) -> list[Day]:
        """Usage of each of the last 90 days and of today, by its age."""
        days, today = self.usage.days, self.today
        return [days.get(today - age, _NO_USAGE) for age in range(_RECENT_DAYS)]

    @cached_property
    def week(self) -> Day:
        """Summed usage of the last 7 days, today included."""
        return self._with_today(self._summed(1, 7))

    @cached_property
    def month(self) -> Day:
        """Summed usage of the last 28 days, today included."""
        return self._with_today(self._summed(1, 28))

    @property
    def complete_month(self) -> Day:
        """Summed usage of the 28 days before today."""
        return self._summed(1, 29)

    @property
    def fortnight(self) -> Day:
        """Summed usage of the 14 days before today."""
        return self._summed(1, 15)

    @property
    def months_ago(self) -> Day:
        """Summed usage of the days from 43 to 90 days ago."""
        return self._summed(43, RING_DAYS + 1)

    @cached_property
    def month_before(self) -> Day:
        """Summed usage of the 28 days before the last 7."""
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
            days = [day for day in self.recent[first:end] if day is not _NO_USAGE]
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
        """Each user's active days in the last 32: bit *i* is set when the user was active *i* days ago."""
        users = self.usage.users
        return masks_on(users.values(), self.today)

    @cached_property
    def people(self) -> PeopleCounts:
        """Counts of the account's people today."""
        from processors.state.people_counts import count_people  # noqa: PLC0415 - takes long to load

        return count_people(self.usage.users.values(), self.today)

    def active_users(self, days: int) -> int:
        """Return the number of users active in the last *days* days, today included."""
        least = least_activity(self.today - days + 1)
        return self._counted(("active", days), lambda: sum(map(least.__le__, self.usage.users.values())))

    def active_before(self, days: int) -> int:
        """Return the number of users active in the *days* days (16 at most) before the last *days* days."""
        window = ((1 << days) - 1) << days
        return self._counted(("before", days), lambda: users_active(self.active, window))

    def user_days(self, days: int) -> int:
        """Return the sum over users of the days of use in the last *days* days (32 at most)."""
        window = (1 << days) - 1
        return self._counted(("user days", days), lambda: user_days(self.active, window))

    def _counted(self, what: tuple[str, int], count: Callable[[], int]) -> int:
        known = self._counts.get(what)
        if known is None:
            known = self._counts[what] = count()
        return known

    @cached_property
    def holidays(self) -> frozenset[int]:
        """Public holidays around the last 90 days, as UTC day numbers; empty without a country."""
        country = self.state.fact("country")
        if country is None:
            return frozenset()
        years = {(EPOCH + timedelta(days=day)).year for day in (self.today - RING_DAYS, self.today)}
        return frozenset().union(*(holidays(country, year) for year in years))

    @cached_property
    def tickets(self) -> list[Ticket]:
        """The tickets that were neither deleted nor moved to another account."""
        return [ticket for ticket in self.state.tickets.values() if not (ticket.deleted or ticket.gone)]

    @cached_property
    def solved(self) -> list[tuple[Ticket, int]]:
        """The tickets solved in the last 90 days, each with the time at which it was solved."""
        solved = []
        for ticket in self.tickets:
            at = ticket.solved_at
            if at < 0 and not ticket.snapshots:  # a snapshot says that a ticket is solved, but not since when
                at = ticket.status[0]
            if at >= 0 and not ticket.open and self.age(at) < RING_DAYS:
                solved.append((ticket, at))
        return solved

    @cached_property
    def answers(self) -> dict[str, dict[str, tuple[int, int]]]:
        """Newest answer (time, score) of each person, by the kind of survey; refusals are left out."""
        answers: dict[str, dict[str, tuple[int, int]]] = {}
        for key, ((at, _), kind, score) in self.state.surveys.items():
            if score is not None:
                by_person = answers.setdefault(kind, {})
                person = key.partition("\n")[2]
                if not person:
                    person = key
                by_person[person] = max(by_person.get(person, (-1, 0)), (at, score))
        return answers

    @cached_property
    def subscription(self) -> Subscription | None:
        """The subscription that represents the account."""
        return subscription(self.state)

    @cached_property
    def churned(self) -> bool:
        """Whether the account is no longer a customer."""
        current = self.subscription
        ended = current is not None and current.status == "canceled" and current.standing != "expired"
        return ended or self.state.fact("stage") == "churned"

    @cached_property
    def revenue(self) -> tuple[int, str | None] | None:
        """Monthly recurring revenue in minor units, and its currency."""
        return recurring_revenue(self.state)

    @cached_property
    def months(self) -> float | None:
        """Months for which the account has been a customer."""
        since = customer_since(self.state)
        return None if since is None else self.age(since) / MONTH

    @cached_property
    def seats(self) -> int | None:
        """Seats bought, as far as known."""
        return seats_bought(self.state)
