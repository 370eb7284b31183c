"""People of an account: their habits, absences and features, and the chance that each comes on a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import xxhash
from numpy.random import Generator
from numpy.typing import NDArray

from bellbuoy.simulator.world.random_streams import number_stream
from bellbuoy.simulator.world.usage import FEATURES
from bellbuoy.simulator.worlds.customers import Customer
from bellbuoy.simulator.worlds.file import WorldFile
from processors.view.calendar import holidays
from schemas.times import EPOCH

__all__ = ["Floats", "People", "chances", "make_people"]

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday
_NEVER = 1_000_000
_DAILY = np.array((0.85, 0.88, 0.88, 0.86, 0.75, 0.05, 0.04))
_WEEKLY = np.array((0.6, 0.2, 0.06, 0.04, 0.04, 0.06, 0.2))
"""The chance of a weekly person by the distance, in days, from the weekday that is theirs."""

_FORTNIGHTLY = np.array((0.65, 0.15, 0.03, 0.01, 0.01, 0.03, 0.15))
_WEEKEND = np.array((1, 1, 1, 1, 1, 0.12, 0.1))
_ON_HOLIDAY = 0.08
_AWAY = 0.01
_WANDER_DAYS = 20.0
_MAX_ABSENCES = 60
_DAYS_BETWEEN_ABSENCES = 110.0
_STAY_DAYS = 1_200.0
"""Mean time for which a person stays with the product."""

_RUNS_IN = (8, 45)
"""Days within which the people of a new account begin."""


@dataclass(frozen=True, slots=True)
class People:
    """
    The people of one account, one column for each; days count from the world's start.

    ``joins`` and ``leaves`` bound the days on which a person may come. ``rhythm`` is 0 for daily, 1 for
    weekly, 2 for fortnightly; ``weekday`` and ``parity`` are the days that are theirs. ``features`` are bits,
    the first of FEATURES the lowest. ``events`` is a person's mean of further events on a day. ``hashes`` are
    those of the ids.
    """

    ids: tuple[str, ...]
    hashes: NDArray[np.uint32]
    joins: Ints
    leaves: Ints
    rhythm: Ints
    weekday: Ints
    parity: Ints
    diligence: Floats
    features: Ints
    events: Floats

    @property
    def count(self) -> int:
        """The number of people, those who join later included."""
        return len(self.ids)


def make_people(file: WorldFile, customer: Customer, seed: int) -> People:
    """Return the people of an account, those who join in later years included."""
    draw = number_stream(seed, file.world, "people", customer.index)
    now = customer.people
    later = 2 + now // 2
    count = now + later
    growth = file.growth_a_year * (0.2 if customer.loyal else 1) + 365 / _STAY_DAYS
    gaps = draw.exponential(365 / max(0.02, growth * now), later)
    begins = draw.uniform(0, draw.uniform(*_RUNS_IN), now) if customer.newcomer else np.full(now, -_NEVER)
    begins[0] = min(begins[0], 0)
    joins = customer.starts + np.concatenate([begins, np.cumsum(gaps)]).astype(np.int64)
    leaves = np.maximum(joins, customer.starts) + draw.exponential(_STAY_DAYS, count).astype(np.int64) + 1
    if customer.people < 3:  # a small customer is its people
        leaves[:] = _NEVER
    leaves[0] = _NEVER
    rhythms = customer.spec.rhythms
    shares = (0, 0.4, 0.6) if customer.loyal else (rhythms.daily, rhythms.weekly, rhythms.fortnightly)
    own = draw.random((count, len(FEATURES))) < np.linspace(0.85, 0.12, len(FEATURES))
    bits = (own * (1 << np.arange(len(FEATURES)))).sum(axis=1)
    rhythm = draw.choice(3, count, p=shares)
    if not customer.loyal:  # the key person comes often
        rhythm[0] = min(rhythm[0], 1)
    ids = tuple(f"u{number}@{customer.account_id}.example" for number in range(1, count + 1))
    return People(
        ids=ids,
        hashes=np.array([xxhash.xxh32_intdigest(user.encode()) for user in ids], dtype=np.uint32),
        joins=joins,
        leaves=leaves,
        rhythm=rhythm,
        weekday=draw.integers(0, 5, count),
        parity=draw.integers(0, 2, count),
        diligence=draw.uniform(0.6, 1.0, count),
        features=np.where(bits == 0, 1, bits).astype(np.int64),
        events=draw.lognormal(0.3, 0.6, count),
    )


def chances(file: WorldFile, customer: Customer, people: People, days: Ints, first: int, seed: int) -> Floats:
    """
    Return each person's chance to come on each local day by habit alone, as an array of days by people.

    ``days`` count from the world's start and begin with -1; ``first`` is the start as a UTC day number.
    """
    draw = number_stream(seed, file.world, "habits", customer.index)
    weekday = (first + days + _EPOCH_WEEKDAY) % 7
    chance = _habit(people, weekday, (first + days) // 7)
    calendar = _season(file, customer, days, first, draw)
    calendar *= np.exp(_wander(draw.uniform(*file.noise.wander), len(days), seed, file, customer))
    calendar *= np.exp(0.25 * customer.usage_level)
    if not customer.loyal and draw.random() < 0.12:  # whose work has a month's end
        calendar *= np.where((first + days) % 30 > 22, 1.5, 0.5)
    chance *= calendar[:, None]
    chance *= people.diligence
    chance[_absent(file, customer, people, days, seed)] *= _AWAY
    there = (days[:, None] >= people.joins) & (days[:, None] < people.leaves)
    return chance * (there & (days[:, None] >= customer.starts))


def _habit(people: People, weekday: Ints, week: Ints) -> Floats:
    distance = (weekday[:, None] - people.weekday) % 7
    theirs = (week[:, None] + people.parity) % 2 == 0
    chance = np.where(
        people.rhythm == 0,
        _DAILY[weekday][:, None],
        np.where(people.rhythm == 1, _WEEKLY[distance], np.where(theirs, _FORTNIGHTLY[distance], 0.015)),
    )
    return np.asarray(np.where(people.rhythm == 0, chance, chance * _WEEKEND[weekday][:, None]))


def _season(file: WorldFile, customer: Customer, days: Ints, first: int, draw: Generator) -> Floats:
    """Return the factor of the calendar on each day: public holidays, a quiet August, the end of the year."""
    august, december = draw.uniform(*file.august), draw.uniform(*file.december)
    factor = np.ones(len(days))
    kind = _kinds_of_day(customer.country, first + int(days[0]), len(days))
    factor[kind == 1] = 1 - august
    factor[kind == 2] = 1 - december
    factor[kind == 3] = _ON_HOLIDAY
    return factor


@lru_cache(maxsize=64)
def _kinds_of_day(country: str, first: int, count: int) -> NDArray[np.int8]:
    """Return 3 for a public holiday, 2 for the end of a year, 1 for August, otherwise 0."""
    kinds = np.zeros(count, dtype=np.int8)
    for row in range(count):
        day = (EPOCH + timedelta(days=first + row)).date()
        if day.month == 8:
            kinds[row] = 1
        if (day.month, day.day) >= (12, 20) or (day.month, day.day) <= (1, 3):
            kinds[row] = 2
        if first + row in holidays(country, day.year):
            kinds[row] = 3
    return kinds


def _wander(spread: float, count: int, seed: int, file: WorldFile, customer: Customer) -> Floats:
    """Return a restless level around 0 that forgets itself within weeks."""
    steps = number_stream(seed, file.world, "wander", customer.index).standard_normal(count)
    keep = float(np.exp(-1 / _WANDER_DAYS))
    fresh = spread * (1 - keep * keep) ** 0.5
    level, levels = spread * float(steps[0]), []
    for step in steps.tolist():
        level = keep * level + fresh * step
        levels.append(level)
    return np.array(levels)


def _absent(file: WorldFile, customer: Customer, people: People, days: Ints, seed: int) -> NDArray[np.bool_]:
    """Return where a person is away, one to three weeks at a time, as an array of days by people."""
    draw = number_stream(seed, file.world, "absences", customer.index)
    absent = np.zeros((len(days), people.count), dtype=np.bool_)
    begins = draw.uniform(-_DAYS_BETWEEN_ABSENCES, 0, people.count)
    for _ in range(_MAX_ABSENCES):
        begins = begins + draw.exponential(_DAYS_BETWEEN_ABSENCES, people.count)
        length = draw.integers(5, 22, people.count)
        absent |= (days[:, None] >= begins) & (days[:, None] < begins + length)
        begins = begins + length
        if begins.min() > days[-1]:
            break
    return absent
