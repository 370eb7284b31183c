"""
Admit and roll up many usage events at once: what ``admit`` says of one event and what a cell holds.

Users are hashed with XXH32, as everywhere in the state, event identities as in ``processors.admit.identity``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.admit import BOUNDS, MAX_TEXT, Admission, identity
from processors.parts import brief
from processors.state import DAY
from schemas.aliases import is_alias, known_alias
from schemas.cells import CELL, Cells
from schemas.columns import DURATION, ERROR, LATENCY, UsageColumns
from schemas.compiled import address, compiled
from schemas.keys import account_key, partition_of, valid_account, valid_tenant
from schemas.xxh import xxh32, xxh64

__all__ = ["USAGE", "Names", "Usage", "admissible", "roll_up", "usage_of"]

USAGE = np.dtype(
    [
        ("identity", "u8"),
        ("offset", "i8"),
        ("occurred_at", "i8"),
        ("received_at", "i8"),
        ("duration_ms", "i8"),
        ("latency_ms", "i8"),
        ("user", "i8"),
        ("place", "i4"),
        ("account", "i4"),
        ("feature", "i4"),
        ("flags", "i4"),
    ],
    align=True,
)
"""
What the journal needs of an admitted event: its identity, where it stood, its times and numbers (0: unknown),
XXH32 of its user (-1: none), the numbers of its account and feature (-1: none) among ``Names``, and the flags
of ``schemas.columns.EVENT``.
"""

Rows = NDArray[Any]

_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
_MOST_DURATION, _MOST_LATENCY, _MOST_RECEIVED = (
    BOUNDS[name][1] for name in ("duration_ms", "latency_ms", "received_at")
)


class Names:
    """Numbers for accounts and features, in order of first sight."""

    def __init__(self) -> None:
        self.accounts: dict[tuple[str, str], int] = {}
        self.features: dict[str, int] = {}

    def account(self, name: tuple[str, str]) -> int:
        """Return the number of an account, given as tenant and account id."""
        return self.accounts.setdefault(name, len(self.accounts))

    def feature(self, name: str) -> int:
        """Return the number of a feature."""
        return self.features.setdefault(name, len(self.features))


@dataclass(slots=True)
class Usage:
    """Admitted usage events, an array of ``USAGE``, and the names that they mean."""

    events: Rows = field(default_factory=lambda: np.empty(0, USAGE))
    names: Names = field(default_factory=Names)

    def __len__(self) -> int:
        return len(self.events)

    def __getitem__(self, part: slice) -> Usage:
        return Usage(self.events[part], self.names)


def admissible(
    columns: UsageColumns, names: Names, now: int, limits: Admission, partition: int, partitions: int
) -> tuple[Rows, NDArray[np.bool_]]:
    """
    Return the events that surely may enter the journal on this partition, and of each row whether it is one.

    Where it is none, ``admit`` and the key decide: this errs on the careful side only.
    """
    rows = columns.rows
    met = rows[columns.accounts]
    found = [
        _account(tenant, account_id, partition, partitions)
        for tenant, account_id in zip(
            columns.pieces(met, "tenant"), columns.pieces(met, "account_id"), strict=True
        )
    ]
    accounts = np.array([names.account(name) if placed else -1 for name, placed in found], np.int32)
    named = columns.texts(rows[columns.features], "feature")
    features = np.array([names.feature(name) if len(name) <= MAX_TEXT else -1 for name in named], np.int32)
    admitted, sure = np.empty(len(rows), USAGE), np.empty(len(rows), np.bool_)
    earliest, latest = max(0, now - limits.horizon_ms), now + limits.future_ms
    origin = address(columns.data)
    n = _admit(origin, rows, columns.accounts, accounts, features, earliest, latest, admitted, sure)
    return admitted[:n], sure


@lru_cache(maxsize=262_144)
def _account(
    tenant_: bytes, account_id_: bytes, partition: int, partitions: int
) -> tuple[tuple[str, str], bool]:
    """Return an account's tenant and id, and whether they are valid and belong to the partition."""
    tenant, account_id = tenant_.decode(), account_id_.decode()
    valid = valid_tenant(tenant) and valid_account(account_id)
    known = not is_alias(account_id) or known_alias(account_id)
    placed = valid and known and partition_of(account_key(tenant, account_id), partitions) == partition
    return (tenant, account_id), placed


@compiled
def _admit(
    origin: Any,
    rows: Any,
    met: Any,
    accounts: Any,
    features: Any,
    earliest: Any,
    latest: Any,
    admitted: Any,
    sure: Any,
) -> Any:
    seeds = np.empty(len(met), np.uint64)
    for number in range(len(met)):
        row = rows[met[number]]
        seeds[number] = xxh64(origin + row.tenant, row.tenant_size, np.uint64(0))
    count = 0
    for n in range(len(rows)):
        row = rows[n]
        flags = row.flags
        sure[n] = (
            accounts[row.account] >= 0
            and 0 < row.event_id_size <= MAX_TEXT
            and earliest <= row.occurred_at <= latest
            and 0 <= row.received_at <= _MOST_RECEIVED
            and 0 <= row.duration_ms <= _MOST_DURATION
            and 0 <= row.latency_ms <= _MOST_LATENCY
            and max(row.source_size, row.user_id_size, row.name_size, row.feature_size) <= MAX_TEXT
        )
        if not sure[n]:
            continue
        event = admitted[count]
        count += 1
        seed = xxh64(origin + row.source, row.source_size, seeds[row.account])
        event.identity = xxh64(origin + row.event_id, row.event_id_size, seed)
        event.offset, event.place = row.offset, row.place
        event.occurred_at, event.received_at = row.occurred_at, row.received_at
        event.duration_ms, event.latency_ms = row.duration_ms, row.latency_ms
        event.user = -1
        if row.user_id_size >= 0:
            event.user = xxh32(origin + row.user_id, row.user_id_size)
        event.account = accounts[row.account]
        event.feature = -1
        if row.feature_number >= 0:
            event.feature = features[row.feature_number]
        event.flags = flags
    return count


def usage_of(events: Iterable[tuple[Mapping[str, Any], int, int]], names: Names) -> Rows:
    """Return admitted events, given as decoded fields, offset and place, as an array of ``USAGE``."""
    return np.array(
        [
            (
                identity(event["tenant"], event["source"], event["event_id"]),
                offset,
                event["occurred_at"],
                event["received_at"],
                event["duration_ms"] or 0,
                event["latency_ms"] or 0,
                -1 if event["user_id"] is None else brief(event["user_id"]),
                place,
                names.account((event["tenant"], event["account_id"])),
                -1 if event["feature"] is None else names.feature(event["feature"]),
                ERROR * event["error"]
                + DURATION * (event["duration_ms"] is not None)
                + LATENCY * (event["latency_ms"] is not None),
            )
            for event, offset, place in events
        ],
        USAGE,
    )


def roll_up(usage: Usage) -> Cells:
    """Return one cell per account and UTC day, sorted; a function of the set of events alone."""
    accounts, account_ranks = _ranked(usage.names.accounts)
    features, feature_ranks = _ranked(usage.names.features)
    cells, users, named = _cells(usage.events, account_ranks, feature_ranks)
    order = np.lexsort((cells["day"], cells["account"]))
    places = np.empty(len(order), np.uint64)
    places[order] = np.arange(len(order), dtype=np.uint64)
    cells = cells[order]
    cells["users_end"], users = _distinct(users, places)
    cells["features_end"], named = _distinct(named, places)
    return Cells(cells, users.astype(np.uint32), named.astype(np.int64), accounts, features)


def _ranked(numbers: dict[Any, int]) -> tuple[list[Any], NDArray[np.int64]]:
    """Return names in order, and of each number its place therein."""
    names = sorted(numbers)
    ranks = np.empty(len(names), np.int64)
    ranks[np.array([numbers[name] for name in names], np.int64)] = np.arange(len(names))
    return names, ranks


def _distinct(pairs: NDArray[np.uint64], places: NDArray[np.uint64]) -> tuple[Any, Any]:
    """Return where each place's distinct second halves end, and these, by the place of the first half."""
    pairs = places[pairs >> _HALF] << _HALF | pairs & _LOW
    pairs.sort()
    if len(pairs):
        pairs = pairs[np.concatenate(([True], pairs[1:] != pairs[:-1]))]
    bounds = np.arange(1, len(places) + 1, dtype=np.uint64) << _HALF
    return np.searchsorted(pairs, bounds), pairs & _LOW


@compiled
def _cells(events: Any, account_ranks: Any, feature_ranks: Any) -> Any:
    """Return the cells as they were met, and (cell, user) and (cell, feature) as halves of numbers."""
    cells = np.empty(len(events), CELL)
    before = np.empty(len(events), np.int64)  # the cell of the same account that was met before
    users, features = np.empty(len(events), np.uint64), np.empty(len(events), np.uint64)
    newest = np.full(len(account_ranks), -1, np.int64)
    found = with_user = with_feature = 0
    for n in range(len(events)):
        event = events[n]
        day = event.occurred_at // DAY
        number = newest[event.account]
        while number >= 0 and cells[number].day != day:  # as many as there are days between the limits
            number = before[number]
        if number < 0:
            number = found
            found += 1
            cell = cells[number]
            cell.account, cell.day = account_ranks[event.account], day
            cell.events = cell.errors = cell.duration_ms = cell.latency_ms = cell.latencies = 0
            cell.first_at = cell.last_at = event.occurred_at
            cell.received_at = event.received_at
            before[number] = newest[event.account]
            newest[event.account] = number
        cell = cells[number]
        cell.events += 1
        cell.errors += event.flags & ERROR
        cell.duration_ms += event.duration_ms
        cell.latency_ms += event.latency_ms
        if event.flags & LATENCY:
            cell.latencies += 1
        cell.first_at = min(cell.first_at, event.occurred_at)
        cell.last_at = max(cell.last_at, event.occurred_at)
        cell.received_at = min(cell.received_at, event.received_at)
        if event.user >= 0:
            users[with_user] = np.uint64(number) << _HALF | np.uint64(event.user)
            with_user += 1
        if event.feature >= 0:
            features[with_feature] = np.uint64(number) << _HALF | np.uint64(feature_ranks[event.feature])
            with_feature += 1
    return cells[:found].copy(), users[:with_user], features[:with_feature]
