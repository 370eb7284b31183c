"""
Causes of churn, each with its own signs, and harmless spells of the same signs.

A cause changes the signs of an account from its onset on, by its severity; before the onset it changes
nothing. Every sign is a factor on habit or an addition to it, one value a day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from bellbuoy.simulator.world.random_streams import random_stream
from bellbuoy.simulator.worlds.customers import Customer
from bellbuoy.simulator.worlds.fates import Course
from bellbuoy.simulator.worlds.file import WorldFile
from bellbuoy.simulator.worlds.people import Floats, Ints

__all__ = ["Signs", "signs_of"]

_AFTER_NOTICE = 0.7
"""Factor on usage once notice is given."""


class Signs:
    """
    The signs of one account, one value for each of ``days``; those by person are arrays of days by people.

    * ``visits``, ``by_person``: factors on the chance that a person comes; ``events``: on what is done then.
    * ``breadth``: the share of the usual features that is used; ``exports``: the chance of exports beside.
    * ``errors``: failed events, added as a share; ``latency``: a factor.
    * ``tickets``: a factor on their number; ``slow``: on the hours to an answer and a solution;
      ``reopened``, ``escalated``: added chances; ``csat``: points lost.
    * ``contact``, ``replies``: factors on meetings and on answers to e-mails; ``nps``: points lost.
    * ``prices``: by day, the factors on the price and on the seats; ``unpaid``: the days from and to which
      payments fail.
    * ``champions``: for each champion who leaves, the day, the day on which it is told, and the day on which
      the next one is named; the last two are ``None`` where that never happens.
    * ``late_milestones``: days by which milestones are late.
    """

    def __init__(self, days: Ints, people: int) -> None:
        def factor() -> Floats:
            return np.ones(len(days))

        def addition() -> Floats:
            return np.zeros(len(days))

        self.days = days
        self.by_person: Floats = np.ones((len(days), people))
        self.visits, self.events, self.breadth, self.latency = factor(), factor(), factor(), factor()
        self.tickets, self.slow, self.contact, self.replies = factor(), factor(), factor(), factor()
        self.exports, self.errors, self.reopened = addition(), addition(), addition()
        self.escalated, self.csat, self.nps = addition(), addition(), addition()
        self.prices: dict[int, tuple[float, float]] = {}
        self.unpaid: tuple[int, int] | None = None
        self.champions: list[tuple[int, int | None, int | None]] = []
        self.late_milestones = 0


@dataclass(frozen=True, slots=True)
class _Case:
    """A cause at work: its course, its severity on each day, and the account's own numbers for it."""

    course: Course
    severity: Floats
    draw: Random


Sign: TypeAlias = Callable[[Signs, _Case], None]


def signs_of(
    file: WorldFile, customer: Customer, course: Course | None, people: int, days: Ints, seed: int
) -> Signs:
    """Return the signs of an account: its harmless spells, and those of its cause if it has one."""
    signs = Signs(days, people)
    _harmless(signs, file, customer, seed)
    if course is not None and course.onset <= days[-1]:
        draw = random_stream(seed, file.world, "signs", customer.index)
        _SIGNS[course.cause](signs, _Case(course, course.severity(days), draw))
        if course.notice is not None:
            signs.visits[days > course.notice] *= _AFTER_NOTICE
    return signs


def _decay(signs: Signs, case: _Case) -> None:
    """Change the signs of a use that fades: person after person, and in what they do."""
    severity, draw = case.severity, case.draw
    signs.by_person *= _one_by_one(severity, signs.by_person.shape[1], draw)
    signs.visits *= 1 - 0.5 * severity
    signs.breadth *= 1 - 0.6 * severity
    signs.events *= 1 - 0.3 * severity
    signs.contact *= 1 - 0.5 * severity
    signs.replies *= 1 - 0.4 * severity
    signs.nps += 2.5 * severity


def _champion(signs: Signs, case: _Case) -> None:
    """Change the signs of a champion who leaves: the key person falls silent, then use is slowly lost."""
    course, severity, draw = case.course, case.severity, case.draw
    signs.champions = [change for change in signs.champions if change[0] < course.onset]
    champion = min(len(signs.champions), signs.by_person.shape[1] - 1)
    signs.by_person[signs.days >= course.onset, champion] = 0
    told = course.onset + draw.randint(3, 40) if draw.random() < 0.4 else None
    signs.champions.append((course.onset, told, course.ends if course.saved else None))
    signs.visits *= 1 - 0.6 * severity
    signs.contact *= 1 - 0.6 * severity
    signs.replies *= 1 - 0.5 * severity
    signs.nps += severity


def _onboarding(signs: Signs, case: _Case) -> None:
    """Change the signs of a customer who never gets going: few seats in use, milestones late."""
    course, severity, draw = case.course, case.severity, case.draw
    people = signs.by_person.shape[1]
    few = max(1, round(people * draw.uniform(0.15, 0.5)))
    soon = np.clip((signs.days - course.onset + 1) / 10, 0, 1)
    signs.by_person[:, few:] *= (1 - course.strength * soon * (1 - _back(signs, course)))[:, None]
    signs.visits *= 1 - 0.6 * severity
    signs.breadth *= 1 - 0.4 * severity
    signs.contact *= 1 - 0.3 * severity
    signs.late_milestones = draw.randint(15, 60)


def _tickets(signs: Signs, case: _Case) -> None:
    """Change the signs of support that fails: tickets that are slow, reopened and escalated, low ratings."""
    severity = case.severity
    signs.tickets *= 1 + 9 * severity
    signs.slow *= 1 + 5 * severity
    signs.reopened += 0.35 * severity
    signs.escalated += 0.35 * severity
    signs.csat += 2.2 * severity
    signs.nps += 3 * severity
    signs.visits *= 1 - 0.6 * severity**1.5


def _errors(signs: Signs, case: _Case) -> None:
    """Change the signs of a product that fails: errors and latency, then some tickets and fewer visits."""
    severity, draw = case.severity, case.draw
    signs.errors += draw.uniform(0.05, 0.25) * severity
    signs.latency *= 1 + 1.5 * severity
    signs.tickets *= 1 + severity
    signs.nps += 2 * severity
    signs.visits *= 1 - 0.4 * severity**2


def _payment(signs: Signs, case: _Case) -> None:
    """Change the signs of a card that fails again and again while the customer is happy."""
    course = case.course
    signs.unpaid = (course.onset, course.ends)


def _price(signs: Signs, case: _Case) -> None:
    """Change the signs of a price that is too high: a rise, a smaller plan, then the end at the renewal."""
    course, severity, draw = case.course, case.severity, case.draw
    rise, smaller = draw.random() < 0.6, draw.random() < 0.45
    factor, seats = draw.uniform(1.08, 1.3), draw.uniform(0.55, 0.85)
    cut = course.onset + round(draw.uniform(0.2, 0.7) * course.length)
    if rise:
        signs.prices[course.onset] = (factor, 1.0)
    if smaller and cut < course.ends:
        signs.prices[cut] = (1.0, seats)
    if course.saved and rise:
        signs.prices[course.ends] = (1 / factor, 1.0)
    signs.visits *= 1 - 0.35 * severity
    signs.events *= 1 - 0.2 * severity
    signs.contact *= 1 - 0.3 * severity
    signs.nps += 2 * severity


def _reorganisation(signs: Signs, case: _Case) -> None:
    """Change the signs of a reorganisation: a part of the people is gone overnight."""
    course, severity, draw = case.course, case.severity, case.draw
    share = draw.uniform(0.3, 0.7)
    gone = np.array([draw.random() < share for _ in range(signs.by_person.shape[1])])
    after = signs.days >= course.onset
    signs.by_person[:, gone] *= np.where(after, _back(signs, course), 1.0)[:, None]
    signs.visits *= 1 - 0.4 * severity
    signs.contact *= 1 - 0.4 * severity


def _competitor(signs: Signs, case: _Case) -> None:
    """Change the few signs of a competitor: exports, a little less use, and contact that dries up."""
    severity = case.severity
    signs.exports += 0.35 * severity
    signs.visits *= 1 - 0.15 * severity
    signs.contact *= 1 - 0.7 * severity
    signs.replies *= 1 - 0.6 * severity


def _nothing(_signs: Signs, _case: _Case) -> None:
    """Change nothing: a customer who leaves by chance, or by levels that were always there."""


_SIGNS: Mapping[str, Sign] = MappingProxyType(
    {
        "decay": _decay,
        "champion": _champion,
        "onboarding": _onboarding,
        "tickets": _tickets,
        "errors": _errors,
        "payment": _payment,
        "price": _price,
        "reorganisation": _reorganisation,
        "competitor": _competitor,
        "chance": _nothing,
        "levels": _nothing,
    }
)


def _one_by_one(severity: Floats, people: int, draw: Random) -> Floats:
    """Return a factor for each day and person: the more severe, the more people have gone."""
    turns = np.array([draw.random() * 0.7 for _ in range(people)])
    return np.asarray(1 - np.clip((severity[:, None] - turns) / 0.3, 0, 1))


def _back(signs: Signs, course: Course) -> Floats:
    """Return how much of what a cause took at once has come back on each day: 0 unless it was saved."""
    days = np.clip((signs.days - course.ends) / course.recovery, 0.0, 1.0)
    return np.asarray(days if course.saved else np.zeros(len(days)))


def _harmless(signs: Signs, file: WorldFile, customer: Customer, seed: int) -> None:
    """Change the signs as harmless spells do, which befall every account whatever its fate."""
    noise, last = file.noise, int(signs.days[-1])

    def spells(kind: str, a_year: float, shortest: int, longest: int) -> Iterator[tuple[slice, Random]]:
        draw = random_stream(seed, file.world, kind, customer.index)
        day = -30.0
        while a_year > 0:
            day += draw.expovariate(a_year / 365)
            length, of_its_own = draw.randint(shortest, longest), Random(draw.random())
            if day > last:
                return
            first = max(0, int(day) + 1)  # the days begin with -1
            if int(day) + length + 1 > 0:
                yield slice(first, int(day) + length + 1), of_its_own
            day += length

    for days, draw in spells("bad week", noise.bad_weeks, 4, 12):
        signs.visits[days] *= draw.uniform(0.1, 0.7)
    for days, draw in spells("lull", noise.lulls, 20, 50):
        signs.visits[days] *= 1 - draw.uniform(0.3, 0.7) * _hump(days, last)
    for days, draw in spells("error spell", noise.error_spells, 1, 6):
        signs.errors[days] += draw.uniform(0.02, 0.2)
        signs.latency[days] *= draw.uniform(1, 2.5)
    for days, draw in spells("ticket spell", noise.ticket_spells, 3, 14):
        signs.tickets[days] *= draw.uniform(2, 6)
        signs.slow[days] *= draw.uniform(1, 3)
        signs.escalated[days] += 0.15
    for days, draw in spells("champion change", noise.champion_changes, 5, 25):
        if len(signs.champions) < min(3, customer.people - 1):
            left, told = days.start - 1, days.start + 1 if draw.random() < 0.4 else None
            signs.by_person[days.start :, len(signs.champions)] = 0
            signs.champions.append((left, told, days.stop - 1))
    for days, draw in spells("contact pause", noise.contact_pauses, 20, 60):
        signs.contact[days] *= draw.uniform(0, 0.4)
        signs.replies[days] *= draw.uniform(0.2, 0.8)


def _hump(days: slice, last: int) -> Floats:
    """Return a rise and fall over a spell, cut where the world ends."""
    length = days.stop - days.start
    shape = np.sin(np.pi * (np.arange(length) + 0.5) / length)
    return np.asarray(shape[: max(0, last + 2 - days.start)])
