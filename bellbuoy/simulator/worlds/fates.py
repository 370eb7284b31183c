"""Fates of a world's customers: who falls to which cause, when it begins, and how it ends."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from bellbuoy.simulator.world.random_streams import random_stream
from bellbuoy.simulator.worlds.customers import Customer
from bellbuoy.simulator.worlds.file import LevelsSpec, WorldFile
from schemas.times import DAY, HOUR

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Course", "Fate", "course_of", "fate_of"]

_SETTLED_DAYS = 21
"""Days for which a customer lives by habit before any cause may begin."""

_MONTH_DAYS = 30
_BEGINNINGS_DAYS = 240
"""Days of common risk that the beginning is worth to a newcomer: whoever never gets going does so at once."""

_LOYAL_RISK = 0.3
_AT_RENEWAL = 0.6
"""Share of the customers with a long term who leave at its end and not before."""

_LONG_TERM_DAYS = 180
_FURTHEST_DAY = 3_650
_INVOLUNTARY = "payment"


@dataclass(frozen=True, slots=True)
class Fate:
    """
    The truth about one account, as far as the world's days go; times in UTC milliseconds.

    ``cause`` is ``None`` for a calm account. ``onset`` is the account's midnight, the other times are UTC's.
    ``notice_at`` is when a cancellation was scheduled. Whoever has a cause, and neither ``churned_at`` nor
    ``saved_at``, is on the way when the world ends. ``involuntary``: the cause is a payment that fails.
    """

    tenant: str
    account_id: str
    segment: str
    cause: str | None
    onset: int | None
    notice_at: int | None
    churned_at: int | None
    saved_at: int | None
    arr_minor: int
    involuntary: bool


@dataclass(frozen=True, slots=True)
class Course:
    """
    The course of a cause on one account: ``onset`` and ``ends`` are days from the world's start.

    ``ends`` is the day on which the customer is gone or, when ``saved``, on which the cause stops and its
    signs begin to go back for ``recovery`` days. ``length`` is how many days the cause would need.
    """

    cause: str
    onset: int
    ends: int
    length: int
    saved: bool
    recovery: int
    notice: int | None
    shape: float
    strength: float

    def severity(self, days: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the progress of the cause on these days: 0 before the onset, at most ``strength``."""
        last = np.minimum(days, self.ends)
        progress = np.clip((last - self.onset + 1) / self.length, 0.0, 1.0)
        back = np.clip(1 - (days - self.ends) / self.recovery, 0.0, 1.0) if self.saved else 1.0
        return np.asarray(self.strength * progress**self.shape * back, dtype=np.float64)


def course_of(file: WorldFile, customer: Customer, seed: int) -> Course | None:
    """Return the course that an account's cause takes, or ``None``; it doesn't depend on a world's length."""
    draw = random_stream(seed, file.world, "course", customer.index)
    if file.levels is not None:
        return _by_levels(file, file.levels, customer, draw)
    risk = file.onsets_a_month * customer.spec.risk * (_LOYAL_RISK if customer.loyal else 1) / _MONTH_DAYS
    wait = draw.expovariate(1.0)
    possible = {
        cause: spec.weight
        for cause, spec in file.causes.items()
        if cause != "onboarding" or customer.newcomer
    }
    cause = draw.choices(list(possible), list(possible.values()))[0]
    spec = file.causes[cause]
    length, onset = draw.randint(*spec.days), customer.starts + _SETTLED_DAYS
    if risk <= 0:
        return None
    if cause == "onboarding":
        if wait > _BEGINNINGS_DAYS * risk:
            return None
        onset = customer.starts + draw.randint(5, 15)
    else:
        onset += int(wait / risk)
    if onset > _FURTHEST_DAY:
        return None
    saved = draw.random() < spec.saved
    at_renewal = cause == "price" or (customer.term_days >= _LONG_TERM_DAYS and draw.random() < _AT_RENEWAL)
    if cause != _INVOLUNTARY and at_renewal:
        ends = customer.renewal_from(onset + length)
        onset, ends = (ends - length, ends) if cause == "price" else (onset, min(ends, onset + 135))
        length = ends - onset
    if cause == _INVOLUNTARY:
        onset += (customer.bill_day - onset) % (_MONTH_DAYS * customer.spec.invoice_months)
    notice = draw.randint(0, file.notice_days)
    announces = draw.random() < file.notice and cause != _INVOLUNTARY
    rescue, recovery = draw.uniform(0.4, 0.9), draw.randint(7, 21)
    ends = onset + (max(10, round(rescue * length)) if saved else length)
    return Course(
        cause=cause,
        onset=onset,
        ends=ends,
        length=length,
        saved=saved,
        recovery=recovery,
        notice=max(onset + 1, ends - max(1, notice)) if announces and not saved else None,
        shape=math.exp(draw.uniform(math.log(0.4), math.log(2.0))),
        strength=draw.uniform(*spec.strength),
    )


def _by_levels(file: WorldFile, levels: LevelsSpec, customer: Customer, draw: Random) -> Course | None:
    log_odds = levels.base + levels.usage * customer.usage_level + levels.price * customer.price_level
    chance = 1 / (1 + math.exp(-log_odds))
    day = customer.renewal_from(customer.starts + 1)
    notice, announces = max(1, draw.randint(0, file.notice_days)), draw.random() < file.notice
    while draw.random() >= chance:
        day += customer.term_days
        if day > _FURTHEST_DAY:
            return None
    onset = max(customer.starts, day - notice)
    return Course(
        cause="levels",
        onset=onset,
        ends=day,
        length=max(1, day - onset),
        saved=False,
        recovery=1,
        notice=onset if announces else None,
        shape=1.0,
        strength=0.0,
    )


def fate_of(customer: Customer, course: Course | None, start: int, days: int) -> Fate:
    """Return the truth about an account as of the end of a world of so many days."""
    if course is not None and course.onset >= days:
        course = None

    def at(day: int | None, hours: int = 0) -> int | None:
        return None if day is None or day >= days else start + day * DAY + hours * HOUR

    return Fate(
        tenant=customer.tenant,
        account_id=customer.account_id,
        segment=customer.segment,
        cause=None if course is None else course.cause,
        onset=None if course is None else at(course.onset, -customer.zone_hours),
        notice_at=None if course is None else at(course.notice, NOTICE_HOUR),
        churned_at=None if course is None or course.saved else at(course.ends),
        saved_at=None if course is None or not course.saved else at(course.ends),
        arr_minor=12 * customer.mrr_minor,
        involuntary=course is not None and course.cause == _INVOLUNTARY,
    )


NOTICE_HOUR = 10
"""The hour of the day, UTC, at which notice is given."""
