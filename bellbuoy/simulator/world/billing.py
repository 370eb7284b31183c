"""Billing of the simulated customers: subscriptions, monthly invoices, dunning and cancellations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bellbuoy.simulator.world.accounts import CURRENCY, SimAccount
from bellbuoy.simulator.world.random_streams import random_stream
from bellbuoy.simulator.world.states import CustomerState, StatePath
from schemas.records import BillingEvent
from schemas.times import DAY, HOUR

__all__ = ["Subscriber"]

_NOTICE_DAYS = 14
"""Days before the churn in which a customer may announce it."""

_RETRY_DAYS = (1, 3, 5)
"""Days after the first failure at which a payment is tried again."""

_FAILURE_CHANCE: dict[CustomerState, float] = {CustomerState.DRIFTING: 0.06, CustomerState.AT_RISK: 0.22}
_DOWNGRADE_CHANCE = 0.4
_EXPANSION_CHANCE = 0.6
_INVOLUNTARY_CHANCE = 0.3


class Subscriber:
    """
    One account's subscription; ``events_on`` is called once for each day, in order.

    The account's future states are known, so a notice or a failing card precedes the churn it leads to.
    """

    def __init__(self, account: SimAccount, path: StatePath, start: int, seed: int, prefix: str) -> None:
        self._account, self._path, self._seed, self._prefix = account, path, seed, prefix
        self._first = start // DAY
        self.seats, self.mrr_minor = account.seats, account.mrr_minor
        self._renews_at = account.renews_at(start)
        self._leaving: int | None = None
        self._gone = False

    def events_on(self, day: int) -> Iterator[BillingEvent]:
        """Yield the events that begin on a day of the simulation (from 0), and later ones they lead to."""
        if self._gone:
            return
        state = self._path.state_on(day)
        draw = random_stream(self._seed, self._account.account_id, day, "billing")
        at = (self._first + day) * DAY + int((8 + 9 * draw.random()) * HOUR)
        if day == 0:
            opened = (self._first + day) * DAY
            yield self._subscription("subscription_started", opened, "s0")
        if state is CustomerState.CHURNED:
            self._gone = True
            yield self._canceled(at, f"c{day}")
            return
        if self._path.entered(day):
            yield from self._resize(state, at, day, draw.random())
        if self._renews_at < (self._first + day + 1) * DAY:
            self._renews_at += 365 * DAY
            yield self._subscription("subscription_updated", at + HOUR, f"r{day}")
        leaves = self._path.churns(day, _NOTICE_DAYS)
        if leaves is not None and self._leaving is None:
            yield from self._leave(day, leaves, at)
        elif (self._first + day) % 30 == self._account.bill_day and self._leaving is None:
            yield from self._invoice(
                day,
                at,
                failed=draw.random() < _FAILURE_CHANCE.get(state, 0.015),
                retry=draw.choice(_RETRY_DAYS),
            )

    def _resize(self, state: CustomerState, at: int, day: int, level: float) -> Iterator[BillingEvent]:
        factor = 1.0
        if state is CustomerState.AT_RISK and level < _DOWNGRADE_CHANCE:
            factor = 0.6
        elif state is CustomerState.EXPANDING and level < _EXPANSION_CHANCE:
            factor = 1.3
        seats = max(1, round(self.seats * factor))
        if seats != self.seats:
            before = self.mrr_minor
            self.mrr_minor = before // self.seats * seats
            self.seats = seats
            yield self._subscription("subscription_updated", at, f"u{day}", previous_mrr_minor=before)

    def _leave(self, day: int, leaves: int, at: int) -> Iterator[BillingEvent]:
        draw = random_stream(self._seed, self._account.account_id, "leaving")
        self._leaving = leaves
        involuntary = draw.random() < _INVOLUNTARY_CHANCE
        spare = leaves - day - 1
        if not involuntary:
            announced = at + draw.randint(0, max(0, spare)) * DAY
            ends = (self._first + leaves) * DAY
            yield self._subscription(
                "cancel_scheduled", min(announced, ends - HOUR), f"n{day}", cancel_at=ends
            )
            return
        yield self._bill("invoice_issued", at, day, 0)
        for attempt in range(4):
            when = at + HOUR + spare * DAY * attempt // 4
            yield self._bill("payment_failed", when, day, attempt + 1)

    def _invoice(self, day: int, at: int, *, failed: bool, retry: int) -> Iterator[BillingEvent]:
        yield self._bill("invoice_issued", at, day, 0)
        if failed:
            yield self._bill("payment_failed", at + HOUR, day, 1)
            for attempt, wait in enumerate(_RETRY_DAYS):
                when = at + HOUR + wait * DAY
                if wait == retry:
                    yield self._bill("invoice_paid", when, day, 2 + attempt)
                    return
                yield self._bill("payment_failed", when, day, 2 + attempt)
        else:
            yield self._bill("invoice_paid", at + HOUR, day, 1)

    def _subscription(self, kind: str, at: int, step: str, **more: int) -> BillingEvent:
        terms = {
            "plan": self._account.plan,
            "seats": self.seats,
            "mrr_minor": self.mrr_minor,
            "renews_at": self._renews_at,
        }
        return self._event(kind, at, step, terms | more)

    def _canceled(self, at: int, step: str) -> BillingEvent:
        whole = at // 1000 * 1000
        terms = {"plan": self._account.plan, "seats": self.seats, "mrr_minor": 0, "cancel_at": whole}
        return self._event("subscription_canceled", at, step, terms | {"previous_mrr_minor": self.mrr_minor})

    def _bill(self, kind: str, at: int, day: int, step: int) -> BillingEvent:
        issued = (self._first + day) * DAY
        about = {
            "invoice_id": f"{self._prefix}-i{day}",
            "amount_minor": self.mrr_minor,
            "due_at": issued + 15 * DAY,
        }
        return self._event(kind, at, f"i{day}-{step}", about)

    def _event(self, kind: str, at: int, step: str, fields: dict[str, Any]) -> BillingEvent:
        return BillingEvent(
            event_id=f"{self._prefix}-b{step}",
            tenant="",
            account_id=self._account.account_id,
            source="stripe",
            occurred_at=at // 1000 * 1000,  # Stripe's times are whole seconds
            received_at=0,
            kind=kind,
            subscription_id=f"{self._prefix}-sub",
            currency=CURRENCY,
            **fields,
        )
