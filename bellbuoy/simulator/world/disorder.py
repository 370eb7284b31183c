"""Disorder of real deliveries: late, duplicate and broken events, events far in the past or future."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from random import Random

import msgspec

from bellbuoy.simulator.world.delivery import BAD_KINDS, Delivery, SimEvent
from bellbuoy.simulator.world.random_streams import log_uniform
from schemas.records import AccountProfile, UsageEvent
from schemas.times import DAY, HOUR, MINUTE

__all__ = ["Disorder", "with_disorder"]

_MAX_LATENESS = 10 * DAY
"""The longest delay of a late event: far within every horizon."""


@dataclass(frozen=True, slots=True)
class Disorder:
    """
    The rate of each fault, as a share of the events it may affect.

    ``late`` and ``duplicate`` affect all events but profiles; the other three add an event to a usage event.
    Raises ValueError for a share outside 0..1.
    """

    late: float = 0.02
    duplicate: float = 0.01
    bad: float = 0.002
    too_late: float = 0.001
    from_future: float = 0.0005

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value <= 1:
                raise ValueError(f"{field.name} is {value}: give a share from 0 to 1")


def with_disorder(event: SimEvent, disorder: Disorder, draw: Random) -> Iterator[Delivery]:
    """Yield the deliveries of one event; exactly one of them counts."""
    at = event.occurred_at
    if isinstance(event, AccountProfile):
        yield Delivery(at, event)
        return
    late = draw.random() < disorder.late
    if late:
        at += log_uniform(draw, MINUTE, _MAX_LATENESS)
    yield Delivery(at, event, "late" if late else "clean")
    if draw.random() < disorder.duplicate:
        yield Delivery(at + log_uniform(draw, 100, HOUR), event, "duplicate")
    if isinstance(event, UsageEvent):
        yield from _bad_copies(event, disorder, draw)


def _bad_copies(event: UsageEvent, disorder: Disorder, draw: Random) -> Iterator[Delivery]:
    at = event.occurred_at
    if draw.random() < disorder.bad:
        kind = draw.choice(BAD_KINDS)
        yield Delivery(at, _copy(event, "bad", at), "bad", kind)
    if draw.random() < disorder.too_late:
        yield Delivery(at, _copy(event, "old", at - draw.randint(100, 400) * DAY), "too_late")
    if draw.random() < disorder.from_future:
        yield Delivery(at, _copy(event, "new", at + draw.randint(30, 400) * DAY), "from_future")


def _copy(event: UsageEvent, mark: str, occurred_at: int) -> UsageEvent:
    return msgspec.structs.replace(event, event_id=f"{event.event_id}-{mark}", occurred_at=occurred_at)
