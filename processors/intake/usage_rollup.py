"""
The roll-up of usage as it comes: one cell per account and UTC day, whatever the number of events.

Its memory grows with the accounts, their days, users and features, not with the events. The outcome is a
function of the set of events alone; ``processors.intake.usage_rollup_rows`` does the same one event at a
time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.intake.columnar_admission import Names
from schemas.columnar.cell_encoder import CELL, Cells
from schemas.columnar.compiled import compiled
from schemas.columnar.usage_decoder import ERROR, LATENCY
from schemas.times import DAY

__all__ = ["UsageRollup"]

Pairs = NDArray[np.uint64]

_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
_NAME_BYTES = 250
"""Of an account's or a feature's name with its number, about."""


def _no_pairs() -> Pairs:
    return np.empty(0, np.uint64)


@dataclass(slots=True)
class UsageRollup:
    """
    Admitted usage events, rolled up.

    ``cells`` is an array of ``CELL`` in the order in which they were met, with the numbers of accounts among
    ``names``; what it says of users and features is not filled in. ``users`` are the distinct (cell, XXH32 of
    the user), ``named`` the distinct (cell, number of the feature), each as the halves of a number, sorted.
    """

    names: Names = field(default_factory=Names)
    cells: NDArray[Any] = field(default_factory=lambda: np.empty(0, CELL))
    users: Pairs = field(default_factory=_no_pairs)
    named: Pairs = field(default_factory=_no_pairs)

    @property
    def events(self) -> int:
        """How many events these are."""
        return int(self.cells["events"].sum())

    @property
    def nbytes(self) -> int:
        """About how much memory they hold, in bytes."""
        names = len(self.names.accounts) + len(self.names.features)
        return self.cells.nbytes + self.users.nbytes + self.named.nbytes + _NAME_BYTES * names

    def add(self, events: NDArray[Any]) -> None:
        """Take more events, an array of ``processors.intake.columnar_admission.USAGE``."""
        if not len(events):
            return
        self.cells, users, named = _rolled_up(self.cells, events, len(self.names.accounts))
        self.users = _distinct(np.concatenate((self.users, users)))
        self.named = _distinct(np.concatenate((self.named, named)))

    def split_at(self, at: int) -> tuple[UsageRollup, UsageRollup]:
        """Return the first so many cells, and the others."""
        users, named = (int(np.searchsorted(pairs, at << 32)) for pairs in (self.users, self.named))
        past = np.uint64(at) << _HALF
        return (
            UsageRollup(self.names, self.cells[:at], self.users[:users], self.named[:named]),
            UsageRollup(self.names, self.cells[at:], self.users[users:] - past, self.named[named:] - past),
        )

    def halved(self) -> tuple[UsageRollup, UsageRollup]:
        """
        Return a single cell as two: all that was counted stays with the first.

        Raises ValueError when it has met a single user or feature.
        """
        met = len(self.users) + len(self.named)
        if met < 2:
            raise ValueError("one event alone is too large for a journal batch")
        users = min(met // 2, len(self.users))
        named = met // 2 - users
        more = self.cells.copy()
        for name in ("events", "errors", "duration_ms", "latency_ms", "latencies"):
            more[name] = 0
        return (
            UsageRollup(self.names, self.cells, self.users[:users], self.named[:named]),
            UsageRollup(self.names, more, self.users[users:], self.named[named:]),
        )

    def rolled_up(self) -> Cells:
        """Return the cells, sorted by account and day."""
        accounts, account_ranks = _ranked(self.names.accounts)
        features, feature_ranks = _ranked(self.names.features)
        cells = self.cells.copy()
        cells["account"] = account_ranks[cells["account"]]
        order = np.lexsort((cells["day"], cells["account"]))
        places = np.empty(len(order), np.uint64)
        places[order] = np.arange(len(order), dtype=np.uint64)
        cells = cells[order]
        named = self.named & ~_LOW | feature_ranks[self.named & _LOW].astype(np.uint64)
        cells["users_end"], users = _ordered_pairs(self.users, places)
        cells["features_end"], named = _ordered_pairs(named, places)
        return Cells(cells, users.astype(np.uint32), named.astype(np.int64), accounts, features)


def _ranked(numbers: dict[Any, int]) -> tuple[list[Any], NDArray[np.int64]]:
    """Return names in order, and of each number its place therein."""
    names = sorted(numbers)
    ranks = np.empty(len(names), np.int64)
    ranks[np.array([numbers[name] for name in names], np.int64)] = np.arange(len(names))
    return names, ranks


def _distinct(pairs: Pairs) -> Pairs:
    """Return the pairs in order, each once."""
    pairs.sort()
    return pairs[np.concatenate(([True], pairs[1:] != pairs[:-1]))] if len(pairs) else pairs


def _ordered_pairs(pairs: Pairs, places: Pairs) -> tuple[Any, Pairs]:
    """Return where each place's second halves end, and these, by the place of the first half."""
    pairs = places[pairs >> _HALF] << _HALF | pairs & _LOW
    pairs.sort()
    bounds = np.arange(1, len(places) + 1, dtype=np.uint64) << _HALF
    return np.searchsorted(pairs, bounds), pairs & _LOW


@compiled
def _rolled_up(known: Any, events: Any, accounts: Any) -> Any:
    """Return the known cells with these events, and the events' (cell, user) and (cell, feature)."""
    cells = np.empty(len(known) + len(events), CELL)
    before = np.empty(len(cells), np.int64)  # the cell of the same account that was met before
    newest = np.full(accounts, -1, np.int64)
    found = len(known)
    for n in range(found):
        cells[n] = known[n]
        account = known[n].account
        before[n], newest[account] = newest[account], n
    users, features = np.empty(len(events), np.uint64), np.empty(len(events), np.uint64)
    with_user = with_feature = 0
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
            cell.account, cell.day = event.account, day
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
            features[with_feature] = np.uint64(number) << _HALF | np.uint64(event.feature)
            with_feature += 1
    return cells[:found].copy(), users[:with_user], features[:with_feature]
