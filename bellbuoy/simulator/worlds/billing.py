"""Billing of an account: its subscription, invoices and payments, and its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bellbuoy.simulator.world.random_streams import random_stream
from bellbuoy.simulator.worlds.causes import Signs
from bellbuoy.simulator.worlds.customers import Customer
from bellbuoy.simulator.worlds.fates import NOTICE_HOUR, Course
from bellbuoy.simulator.worlds.file import WorldFile
from bellbuoy.simulator.worlds.people import People
from schemas.records import BillingEvent
from schemas.times import DAY, HOUR

__all__ = ["Subscription"]

_MONTH_DAYS = 30
_RETRY_DAYS = (1, 3, 5)
_DUNNING_DAYS = (0, 2, 5, 9, 16, 23)
"""Days after an invoice on which a payment that keeps failing is tried."""

_DUE_DAYS = 14
_SAME_DAY_HOURS = 6


class Subscription:
    """The subscription of an account, with what happens to it and to its invoices."""

    def __init__(
        self,
        file: WorldFile,
        customer: Customer,
        people: People,
        signs: Signs,
        course: Course | None,
        start: int,
        days: int,
        seed: int,
    ) -> None:
        self._file, self._customer, self._people, self._signs = file, customer, people, signs
        self._course, self._start, self._days = course, start, days
        self._draw = random_stream(seed, file.world, "billing", customer.index)
        self._noise = random_stream(seed, file.world, "contract noise", customer.index)
        self._seats, self._price = customer.seats, float(customer.seat_price_minor)
        self._number = 0
        self._unsettled: list[tuple[str, int]] = []

    @property
    def _mrr(self) -> int:
        return self._seats * round(self._price)

    def events(self) -> Iterator[BillingEvent]:
        """Yield all events, in no order; some may lie after the account's end."""
        customer, course, days = self._customer, self._course, self._days
        gone = course.ends if course is not None and not course.saved else days + 1
        yield self._terms("subscription_started", self._at(customer.starts), customer.starts)
        cycle = _MONTH_DAYS * customer.spec.invoice_months
        for day in range(customer.starts, min(days, gone)):
            if day > customer.starts:
                yield from self._changes(day)
            if (day - customer.bill_day) % cycle == 0:
                yield from self._invoice(day)
            if self._signs.unpaid is not None and course is not None and course.saved and day == course.ends:
                yield from self._settle(day)
            if course is not None and day == course.notice:
                at = self._at(day, NOTICE_HOUR)
                yield self._terms("cancel_scheduled", at, day, cancel_at=self._at(course.ends))
        if gone < days:
            at, before = self._at(gone), self._mrr
            about = {"plan": self._customer.plan, "seats": self._seats, "mrr_minor": 0, "cancel_at": at}
            yield self._event("subscription_canceled", at, previous_mrr_minor=before, **about)

    def _changes(self, day: int) -> Iterator[BillingEvent]:
        """Yield changes of the contract: by the cause, a renewal, growth, and those that mean nothing."""
        noise, chance = self._file.noise, self._noise.random
        before = self._mrr
        dropped, withdrawn, level = chance() < noise.smaller_plan / 365, chance(), chance()
        if day in self._signs.prices:
            price, seats = self._signs.prices[day]
            self._price *= price
            self._seats = max(1, round(self._seats * seats))
        elif self._customer.renewal_from(day) == day:
            if level < noise.price_rise:
                self._price *= 1 + 0.03 + 0.06 * level / max(noise.price_rise, 1e-9)
            more = {"previous_mrr_minor": before} if self._mrr != before else {}
            yield self._terms("subscription_updated", self._at(day, 9), day, **more)
            return
        elif dropped:
            self._seats = max(1, round(self._seats * (0.6 + 0.3 * level)))
        elif day % _MONTH_DAYS == 0 and self._people_on(day) > self._seats:
            self._seats = self._people_on(day)
        if self._mrr != before:
            yield self._terms("subscription_updated", self._at(day, 9), day, previous_mrr_minor=before)
        if withdrawn < noise.withdrawn_notice / 365 and not self._is_leaving(day):
            back = day + 2 + int(8 * level)
            ends = self._customer.renewal_from(back + 1)
            yield self._terms("cancel_scheduled", self._at(day, 11), day, cancel_at=self._at(ends))
            yield self._terms("cancel_withdrawn", self._at(back, 11), back)

    def _is_leaving(self, day: int) -> bool:
        """Tell whether the customer gives notice or leaves so soon that a notice could not be withdrawn."""
        course = self._course
        return course is not None and not course.saved and day > (course.notice or course.ends) - 15

    def _people_on(self, day: int) -> int:
        return int(((self._people.joins <= day) & (day < self._people.leaves)).sum())

    def _invoice(self, day: int) -> Iterator[BillingEvent]:
        customer, invoice = self._customer, f"{self._customer.account_id}-i{day}"
        about = {
            "invoice_id": invoice,
            "amount_minor": self._mrr * customer.spec.invoice_months,
            "due_at": self._at(day + _DUE_DAYS),
        }
        fails, retries = self._draw.random() < self._file.noise.failed_payment, self._draw.randrange(3)
        later, hour = self._draw.randint(0, 4), 8 + self._draw.randrange(_SAME_DAY_HOURS)
        yield self._event("invoice_issued", self._at(day, hour), **about)
        unpaid = self._signs.unpaid
        if unpaid is not None and unpaid[0] <= day < unpaid[1]:
            self._unsettled.append((invoice, self._mrr * customer.spec.invoice_months))
            for wait in _DUNNING_DAYS:
                if day + wait < unpaid[1]:
                    yield self._event("payment_failed", self._at(day + wait, hour + 1), **about)
        elif customer.by_card:
            waits = _RETRY_DAYS[:retries] if fails else ()
            for wait in (0, *waits) if fails else ():
                yield self._event("payment_failed", self._at(day + wait, hour + 1), **about)
            paid = day + (_RETRY_DAYS[retries] if fails else 0)
            yield self._event("invoice_paid", self._at(paid, hour + 1), **about)
        else:
            yield self._event("invoice_paid", self._at(day + customer.pays_after + later, hour), **about)

    def _settle(self, day: int) -> Iterator[BillingEvent]:
        for invoice, amount in self._unsettled:
            yield self._event("invoice_paid", self._at(day, 15), invoice_id=invoice, amount_minor=amount)
        self._unsettled.clear()

    def _at(self, day: int, hour: int = 0) -> int:
        return self._start + day * DAY + hour * HOUR

    def _terms(self, kind: str, at: int, day: int, **more: int) -> BillingEvent:
        return self._event(
            kind,
            at,
            plan=self._customer.plan,
            seats=self._seats,
            mrr_minor=self._mrr,
            renews_at=self._at(self._customer.renewal_from(day + 1)),
            **more,
        )

    def _event(self, kind: str, at: int, /, **fields: Any) -> BillingEvent:
        self._number += 1
        return BillingEvent(
            event_id=f"{self._customer.account_id}-b{self._number}",
            tenant=self._customer.tenant,
            account_id=self._customer.account_id,
            source="stripe",
            occurred_at=at,
            received_at=at,
            kind=kind,
            subscription_id=f"{self._customer.account_id}-sub",
            currency=self._customer.spec.currency,
            **fields,
        )
