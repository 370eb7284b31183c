"""Customers of a world: tenant, segment, seats, contract, country, and the habits of the account."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from bellbuoy.simulator.world.random_streams import random_stream
from bellbuoy.simulator.worlds.file import SegmentSpec, WorldFile

__all__ = ["Customer", "make_customers"]

_K = TypeVar("_K", str, int)
_MONTH_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """
    One account of a world; days count from the world's start, money is in minor units.

    ``people`` is how many use the product at first. ``usage_level`` and ``price_level`` are standard scores
    that never change. ``age`` is for how many days it was a customer before the start, ``starts`` the day on
    which a newcomer begins (0 for others). ``pays_after`` are the days from invoice to payment.
    """

    index: int
    tenant: str
    account_id: str
    segment: str
    spec: SegmentSpec
    country: str
    zone_hours: int
    seats: int
    people: int
    usage_level: float
    price_level: float
    seat_price_minor: int
    plan: str
    term_days: int
    renews_on: int
    bill_day: int
    starts: int
    age: int
    newcomer: bool
    loyal: bool
    sends_little: bool
    by_card: bool
    pays_after: int

    @property
    def mrr_minor(self) -> int:
        """Monthly recurring revenue at the start, in minor units of the segment's currency."""
        return self.seats * self.seat_price_minor

    def renewal_from(self, day: int) -> int:
        """Return the first day of a renewal on or after a day."""
        terms = max(0, -(-(day - self.renews_on) // self.term_days))
        return self.renews_on + terms * self.term_days


def make_customers(file: WorldFile, seed: int, count: int) -> tuple[Customer, ...]:
    """Return the customers of a seed; a larger count keeps the customers of a smaller one."""
    tenants = _tenants(file, seed, count)
    return tuple(
        _customer(file, tenants[index], index, random_stream(seed, file.world, "customer", index))
        for index in range(count)
    )


def _tenants(file: WorldFile, seed: int, count: int) -> list[str]:
    if file.tenant_accounts is None:
        return [file.world] * count
    draw, tenants = random_stream(seed, file.world, "tenants"), list[str]()
    number = 0
    while len(tenants) < count:
        tenants += [f"{file.world}-{number}"] * draw.randint(*file.tenant_accounts)
        number += 1
    return tenants[:count]


def _customer(file: WorldFile, tenant: str, index: int, draw: Random) -> Customer:
    segment = _choice(draw, {name: one.share for name, one in file.segments.items()})
    spec = file.segments[segment]
    country = _choice(draw, file.countries)
    usage_level, price_level = draw.gauss(0, 1), draw.gauss(0, 1)
    loyal = draw.random() < file.loyal
    size = spec.seats.median * math.exp(spec.seats.spread * draw.gauss(0, 1))
    seats = min(spec.seats.most, max(spec.seats.least, round(size)))
    if loyal:
        seats = max(spec.seats.least, min(seats, draw.randint(1, 4)))
    used = min(1.0, max(0.25, 0.75 + 0.15 * usage_level))
    newcomer = draw.random() < file.newcomers and not loyal
    starts = draw.randrange(file.newcomers_within) if newcomer else 0
    age = 0 if newcomer else int(draw.uniform(60, 1_200))
    term_days = _choice(draw, spec.terms_months) * _MONTH_DAYS
    by_card = draw.random() < spec.card
    pays_late = draw.random() < file.noise.late_payer
    return Customer(
        index=index,
        tenant=tenant,
        account_id=f"{file.world}-{index:04d}",
        segment=segment,
        spec=spec,
        country=country,
        zone_hours=file.zone_hours(country),
        seats=seats,
        people=max(1, round(seats * used)),
        usage_level=usage_level,
        price_level=price_level,
        seat_price_minor=max(1, round(spec.price_minor * math.exp(0.3 * price_level))),
        plan=draw.choice(spec.plans),
        term_days=term_days,
        renews_on=starts + (term_days - age % term_days),
        bill_day=starts % _MONTH_DAYS if newcomer else draw.randrange(_MONTH_DAYS),
        starts=starts,
        age=age,
        newcomer=newcomer,
        loyal=loyal,
        sends_little=draw.random() < spec.sends_little,
        by_card=by_card,
        pays_after=draw.randint(18, 40) if pays_late else 0 if by_card else draw.randint(5, 14),
    )


def _choice(draw: Random, shares: Mapping[_K, float]) -> _K:
    return draw.choices(list(shares), list(shares.values()))[0]
