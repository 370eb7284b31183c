"""Usage of an account, rolled up by UTC day, from the chances that its people come."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bellbuoy.simulator.world.random_streams import number_stream
from bellbuoy.simulator.world.usage import FEATURES
from bellbuoy.simulator.worlds.causes import Signs
from bellbuoy.simulator.worlds.customers import Customer
from bellbuoy.simulator.worlds.file import WorldFile
from bellbuoy.simulator.worlds.people import Floats, Ints, People
from schemas.records import UsageCell
from schemas.times import DAY, HOUR

__all__ = ["usage_cells"]

_EXPORTS = 1 << FEATURES.index("exports")
_ALL_FEATURES = (1 << len(FEATURES)) - 1
_ERRORS = 0.006
_FIRST_HOUR, _HOURS = 7.5, 11.0
_LATENCY_MS = 220.0
_DURATION_MS = 90_000.0


def usage_cells(
    file: WorldFile, customer: Customer, people: People, signs: Signs, chance: Floats, start: int, seed: int
) -> Iterator[UsageCell]:
    """
    Yield the account's cells, day after day; a day without usage has none.

    ``chance`` and ``signs`` are by local day, from day -1 to the day after the last; ``start`` is midnight,
    in UTC milliseconds, with which day 0 begins. Cells are by UTC day.
    """
    draw = number_stream(seed, file.world, "visits", customer.index)
    shape = chance.shape
    came = draw.random(shape) < chance * signs.by_person * signs.visits[:, None]
    hours = _FIRST_HOUR + _HOURS * _stream("hours", file, customer, seed).random(shape) - customer.zone_hours
    features = _features(file, customer, people, signs, seed, shape)
    came, hours, features = _by_utc_day(came, hours, features)
    order = np.argsort(people.hashes)
    hashes, present = people.hashes[order], came[:, order]
    rates = (came * people.events).sum(axis=1) * signs.events[1:-1]
    more = _stream("events", file, customer, seed).poisson(rates)
    masks = np.bitwise_or.reduce(np.where(came, features, 0), axis=1)
    masks |= np.where(came.any(axis=1) & (masks == 0), 1, 0)
    counts = np.maximum(came.sum(axis=1) + more, [_names_count(mask) for mask in masks.tolist()])
    failed = _stream("errors", file, customer, seed).binomial(
        counts, np.minimum(0.9, _ERRORS + signs.errors[1:-1])
    )
    spread = _stream("times", file, customer, seed).lognormal(0, 0.25, (len(counts), 2))
    latency = (counts * _LATENCY_MS * signs.latency[1:-1] * spread[:, 0]).astype(np.int64)
    duration = (counts * _DURATION_MS * spread[:, 1]).astype(np.int64)
    first = (np.where(came, hours, 24.0).min(axis=1) * HOUR).astype(np.int64)
    last = (np.where(came, hours, 0.0).max(axis=1) * HOUR).astype(np.int64)
    number = start // DAY
    columns = (counts, failed, duration, latency, masks, first, last)
    for day, (count, errors, ms, waited, mask, begins, ends) in enumerate(
        zip(*(column.tolist() for column in columns), strict=True)
    ):
        if count:
            at = start + day * DAY
            ends_at = at + (min(DAY - 1, ends + 60_000) if count > 1 else begins)
            yield UsageCell(
                tenant=customer.tenant,
                account_id=customer.account_id,
                day=number + day,
                events=count,
                errors=errors,
                duration_ms=ms,
                latency_ms=waited,
                latencies=count,
                users=hashes[present[day]].tobytes(),
                features=_names(mask),
                first_at=at + begins,
                last_at=ends_at,
                received_at=at + begins,
            )


def _features(
    file: WorldFile, customer: Customer, people: People, signs: Signs, seed: int, shape: tuple[int, ...]
) -> Ints:
    """Return the features, as bits, that each person would use on each day."""
    # One array, filled day after day: several would make earlier days depend on how many days there are.
    drawn = _stream("features", file, customer, seed).random((*shape, 4))
    some, fewer = np.moveaxis((drawn[..., :2] * (_ALL_FEATURES + 1)).astype(np.int64), -1, 0)
    level, exporting = drawn[..., 2], drawn[..., 3]
    mask = some & people.features
    mask &= np.where(level < signs.breadth[:, None], _ALL_FEATURES, fewer & (_ALL_FEATURES >> 6))
    mask |= people.features & -people.features  # the first of their own, always
    exports = exporting < signs.exports[:, None]
    return np.asarray(mask | np.where(exports, _EXPORTS, 0))


def _by_utc_day(
    came: NDArray[np.bool_], hours: Floats, features: Ints
) -> tuple[NDArray[np.bool_], Floats, Ints]:
    """Return all but the first and the last day by UTC: a visit moves to the day on which its hour falls."""
    moved = np.floor(hours / 24).astype(np.int64)
    shape = (came.shape[0] - 2, came.shape[1])
    there, at, used = np.zeros(shape, np.bool_), np.zeros(shape), np.zeros(shape, np.int64)
    for shift in np.unique(moved).tolist():
        rows = slice(1 - shift, came.shape[0] - 1 - shift)
        here = came[rows] & (moved[rows] == shift)
        at = np.where(here, hours[rows] - 24 * shift, at)
        used = np.where(here, used | features[rows], used)
        there |= here
    return there, at, used


def _stream(kind: str, file: WorldFile, customer: Customer, seed: int) -> np.random.Generator:
    """Return the account's stream of numbers for one kind of draw."""
    return number_stream(seed, file.world, kind, customer.index)


@lru_cache(maxsize=1 << len(FEATURES))
def _sorted_names(mask: int) -> tuple[str, ...]:
    return tuple(sorted(name for bit, name in enumerate(FEATURES) if mask >> bit & 1))


def _names(mask: int) -> list[str]:
    return list(_sorted_names(mask))


def _names_count(mask: int) -> int:
    return mask.bit_count()
