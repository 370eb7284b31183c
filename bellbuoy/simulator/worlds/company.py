"""The simulated company of ``bellbuoy demo`` as a world: its days rolled up, its hidden states as fates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date

from msgspec.structs import asdict, replace

from bellbuoy.simulator.world.accounts import SimAccount
from bellbuoy.simulator.world.billing import Subscriber
from bellbuoy.simulator.world.company import SimulatedCompany
from bellbuoy.simulator.world.disorder import Disorder
from bellbuoy.simulator.world.states import CustomerState, StatePath
from bellbuoy.simulator.worlds.fates import Fate
from bellbuoy.simulator.worlds.world import WorldDay
from processors.intake.usage_rollup_rows import roll_up
from schemas.records import InputEvent, UsageEvent
from schemas.times import DAY, HOUR, day_number

__all__ = ["COMPANY", "CompanyWorld"]

COMPANY = "company"
"""The name of this world; it has no file, because its customers are those of the demo."""

_ACCOUNTS, _DAYS, _SEED = 1_000, 240, 1
_START = date(2025, 1, 6)
_TENANT = "company"
_IN_TROUBLE = (CustomerState.DRIFTING, CustomerState.AT_RISK)
_IN_ORDER = Disorder(late=0, duplicate=0, bad=0, too_late=0, from_future=0)


class CompanyWorld:
    """
    The simulated company as a history; equal arguments give equal days and fates.

    All signs of a customer move with one hidden state, so that a single measure tells nearly as much as all.
    The trouble of a fate is the first time for which a customer drifts or is at risk.
    """

    planted = True
    """The hidden states are known."""

    def __init__(self, seed: int | None = None, accounts: int | None = None, days: int | None = None) -> None:
        self.name = COMPANY
        self.seed = _SEED if seed is None else seed
        self.days = _DAYS if days is None else days
        self.start = day_number(_START) * DAY
        self._company = SimulatedCompany(
            self.seed, _ACCOUNTS if accounts is None else accounts, self.start, _IN_ORDER
        )
        self.fates: tuple[Fate, ...] = tuple(map(self._fate, self._company.accounts))

    def days_of_events(self) -> Iterator[WorldDay]:
        """Yield every day, in order; events by the time at which they occurred."""
        usage: dict[int, list[UsageEvent]] = defaultdict(list)
        events: dict[int, list[InputEvent]] = defaultdict(list)
        number = 0
        for delivery in self._company.deliveries():
            while delivery.at >= self.start + (number + 1) * DAY:
                yield self._day(number, usage.pop(number, []), events.pop(number, []))
                number += 1
                if number == self.days:
                    return
            event = replace(delivery.event, tenant=_TENANT)
            day = max(number, (event.occurred_at - self.start) // DAY)
            if isinstance(event, UsageEvent):
                usage[day].append(replace(event, received_at=event.occurred_at))
            else:
                events[day].append(event)

    def _day(self, number: int, usage: list[UsageEvent], events: list[InputEvent]) -> WorldDay:
        events.sort(key=lambda event: event.occurred_at)
        return WorldDay(number, self.start + (number + 1) * DAY, roll_up(map(asdict, usage)), events)

    def _fate(self, account: SimAccount) -> Fate:
        states = [self._company.state(account.account_id, day) for day in range(self.days)]
        began = next((day for day, state in enumerate(states) if state in _IN_TROUBLE), None)
        left = states.index(CustomerState.CHURNED) if CustomerState.CHURNED in states else None
        later = range(self.days if began is None else began, self.days)
        ended = next((day for day in later if states[day] not in _IN_TROUBLE), None)
        return Fate(
            tenant=_TENANT,
            account_id=account.account_id,
            segment=account.segment,
            cause=None if began is None else "decay",
            onset=None if began is None else self.start + began * DAY,
            notice_at=None if left is None else self._notice(account, left),
            churned_at=None if left is None else self.start + left * DAY + 8 * HOUR,
            saved_at=None if ended is None or ended == left else self.start + ended * DAY,
            arr_minor=12 * account.mrr_minor,
            involuntary=False,
        )

    def _notice(self, account: SimAccount, left: int) -> int | None:
        """Return when an account that leaves on a day says so before."""
        path = StatePath(self.seed, account.account_id)
        subscriber = Subscriber(account, path, self.start, self.seed, "")
        told = (
            event.occurred_at
            for day in range(left)
            for event in subscriber.events_on(day)
            if event.kind == "cancel_scheduled"
        )
        return next(told, None)
