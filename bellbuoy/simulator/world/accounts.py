"""Customers of the simulated company: names, segments, plans, seats, owners."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from random import Random

from bellbuoy.simulator.world.random_streams import random_stream
from schemas.times import DAY

__all__ = ["CURRENCY", "OWNERS", "SimAccount", "make_accounts"]

CURRENCY = "EUR"
OWNERS = ("Ines Marrow", "Tobias Vell", "Amara Quist", "Jonas Fairley", "Mei Tanaka", "Rosa Delgado")
"""The customer success managers."""

_FIRST = (
    "Amber", "Birch", "Cobalt", "Dovetail", "Ember", "Fallow", "Gannet", "Hazel", "Indigo", "Juniper",
    "Kestrel", "Larch", "Marl", "Nettle", "Osprey", "Pebble", "Quill", "Rowan", "Saffron", "Teal", "Umber",
    "Vesper", "Willow", "Yarrow",
)  # fmt: skip
_SECOND = (
    "Harbour", "Bridge", "Field", "Mill", "Point", "Ridge", "Cross", "Gate", "Lane", "Moor", "Quay", "Spring",
)  # fmt: skip
_TRADE = (
    "Logistics", "Dental", "Foods", "Robotics", "Press", "Energy", "Clinics", "Textiles", "Travel", "Legal",
    "Marine", "Studios",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Segment:
    share: float
    seats: tuple[int, int]
    plan: str
    seat_price_minor: int


_SEGMENTS = {
    "smb": _Segment(0.58, (4, 14), "starter", 2_400),
    "mid_market": _Segment(0.32, (14, 40), "team", 3_900),
    "enterprise": _Segment(0.10, (40, 120), "business", 5_900),
}


@dataclass(frozen=True, slots=True)
class SimAccount:
    """One customer at the start; ``mrr_minor`` in minor units a month, ``renews_in`` in days."""

    index: int
    account_id: str
    name: str
    owner: str
    segment: str
    plan: str
    seats: int
    mrr_minor: int
    renews_in: int
    zone_hours: int
    users: tuple[str, ...]
    bill_day: int

    @property
    def domain(self) -> str:
        """Return the e-mail domain, under a name reserved for examples (RFC 2606)."""
        return f"{self.account_id}.example"

    def renews_at(self, start: int) -> int:
        """Return the first renewal after the start, UTC milliseconds."""
        return (start // DAY + self.renews_in) * DAY


def make_accounts(seed: int, count: int) -> tuple[SimAccount, ...]:
    """Return the customers of this seed; a larger count keeps the customers of a smaller one."""
    names = list(product(_FIRST, _SECOND, _TRADE))
    random_stream(seed, "names").shuffle(names)
    return tuple(_make(index, names, random_stream(seed, "account", index)) for index in range(count))


def _make(index: int, names: list[tuple[str, str, str]], draw: Random) -> SimAccount:
    first, second, trade = names[index % len(names)]
    name = f"{first} {second} {trade}" + (f" {index // len(names) + 1}" if index >= len(names) else "")
    account_id = name.lower().replace(" ", "-")
    segment = draw.choices(list(_SEGMENTS), [s.share for s in _SEGMENTS.values()])[0]
    shape = _SEGMENTS[segment]
    seats = draw.randint(*shape.seats)
    return SimAccount(
        index=index,
        account_id=account_id,
        name=name,
        owner=draw.choice(OWNERS),
        segment=segment,
        plan=shape.plan,
        seats=seats,
        mrr_minor=seats * shape.seat_price_minor,
        renews_in=draw.randint(10, 355),
        zone_hours=draw.choice((-8, -5, 0, 1, 1, 2, 9)),
        users=tuple(f"u{n}@{account_id}.example" for n in range(1, seats + 1)),
        bill_day=draw.randint(0, 29),
    )
