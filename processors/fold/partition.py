"""
The accounts of one partition in memory, folded from journal batches one after the other.

The worker, a replay, an account's history, the tests and the benchmarks all drive the fold through this
class, so that what is due when, and what is kept between batches, is the same for all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from msgspec.structs import replace

from processors.fold.account_cache import AccountCache
from processors.fold.due import DueHeap, earliest
from processors.fold.fold import Fold
from processors.fold.models_in_force import rescore_at
from processors.fold.outcome import Outcome
from processors.fold.shared import Shared
from processors.owners.rows import row_due
from processors.state.account import State
from processors.state.encoding import decode_head, decode_state
from processors.state.position import Position
from schemas.identity.aliases import ALIAS
from schemas.records import JournalBatch

__all__ = ["Batches", "FoldedPartition", "foldable_runs"]

_ALIAS = ALIAS.encode()

Batches: TypeAlias = Sequence[tuple[int, JournalBatch]]
"""Journal batches in their order, each with its offset."""


def foldable_runs(batches: Batches) -> Iterator[Batches]:
    """
    Yield the batches in runs that one outcome each may hold.

    A batch that changes models ends its run: every account is due after it.
    """
    start = 0
    for number, (_, batch) in enumerate(batches, 1):
        if batch.models or number == len(batches):
            yield batches[start:number]
            start = number


def _tenant_of_account(key: bytes) -> str:
    """Return the tenant whose account has this key; '' for the key of an alias."""
    tenant, _, account_id = key.partition(b":")
    return "" if account_id.startswith(_ALIAS) else tenant.decode()


class FoldedPartition:
    """
    States by account key, rows of the owners' stage, the position, what all share, and when each is due.

    ``prepare`` folds batches and changes nothing of this; ``commit`` takes the outcome over. Whoever writes
    outcomes to a log writes between the two, so that memory is never ahead of the log; an outcome that could
    not be written is dropped. ``apply`` is for whoever writes nothing.

    ``cache_bytes`` bounds the accounts that are kept as values (``None``: all are). ``select`` returns the
    part of a batch that is folded, by default all of it; what all accounts share always sees the whole batch.
    """

    def __init__(
        self,
        number: int,
        shared: Shared,
        states: dict[bytes, bytes] | None = None,
        position: Position | None = None,
        *,
        owner_rows: dict[bytes, bytes] | None = None,
        cache_bytes: int | None = None,
        select: Callable[[JournalBatch], JournalBatch] | None = None,
    ) -> None:
        self.number = number
        self.shared = shared
        self.states = {} if states is None else states
        self._accounts = Counter(filter(None, map(_tenant_of_account, self.states)))
        self.owner_rows = {} if owner_rows is None else owner_rows
        self.position = Position() if position is None else position
        self._select = select
        self._due = DueHeap()
        self._owner_rows_due = DueHeap()
        self._cache = AccountCache(cache_bytes)
        self._schedule_all()
        for key, raw in self.owner_rows.items():
            self._owner_rows_due.put(key, row_due(raw))

    def apply(self, batches: Batches) -> Iterator[Outcome]:
        """Fold batches, as many together as may be, and yield each outcome once it is taken over."""
        for run in foldable_runs(batches):
            outcome = self.prepare(run)
            self.commit(outcome)
            yield outcome

    def prepare(self, run: Batches) -> Outcome:
        """
        Return what one of the ``foldable_runs`` changes.

        Raises ValueError when the batches don't follow the position and each other.
        """
        fold = Fold(
            self.states,
            self.position,
            partition=self.number,
            shared=self.shared,
            owner_rows=self.owner_rows,
            accounts=self._accounts,
            take=self._cache.take,
            select=self._select,
        )
        for offset, batch in run:
            now = batch.written_at
            fold.add(batch, offset, self._due.peek(now), self._owner_rows_due.peek(now))
        return fold.outcome()

    def commit(self, outcome: Outcome) -> None:
        """Take over the outcome that ``prepare`` returned last."""
        for key, state in outcome.states.items():
            if state is None:
                if self.states.pop(key, None) is not None and (tenant := _tenant_of_account(key)):
                    self._accounts[tenant] -= 1
            else:
                if key not in self.states and (tenant := _tenant_of_account(key)):
                    self._accounts[tenant] += 1
                self.states[key] = state
        self.position = outcome.position
        self._cache.put(outcome.accounts, outcome.states)
        for key, row in outcome.owner_rows.items():
            if row is None:
                self.owner_rows.pop(key, None)
            else:
                self.owner_rows[key] = row
            self._owner_rows_due.put(key, None if row is None else row_due(row))
        for key, account in outcome.accounts.items():
            self._due.put(key, account.state.due)
        self._share(outcome.shared)

    def skip(self, offset: int, batch: JournalBatch) -> None:
        """Move past a batch of which nothing is selected while no account is due: cheaper than folding it."""
        self.position = replace(
            self.position, sequence=batch.sequence, offset=offset, written_at=batch.written_at
        )
        self._share(self.shared.after(batch))

    def due(self, now: int) -> bool:
        """Tell whether time alone makes any account, or row of the owners' stage, due at *now*."""
        return bool(self._due.peek(now) or self._owner_rows_due.peek(now))

    def state(self, key: bytes) -> State:
        """Return an account's state, which must not be changed; raise KeyError for an unknown account."""
        account = self._cache.get(key)
        return decode_state(self.states[key]) if account is None else account.state

    def _share(self, shared: Shared) -> None:
        before, self.shared = self.shared, shared
        if shared.models is not before.models:
            self._schedule_all()

    def _schedule_all(self) -> None:
        """Put every account into the due heap: at a start, and when a change of models rescores them all."""
        models = self.shared.models
        for key, raw in self.states.items():
            sequence, due = decode_head(raw)
            self._due.put(key, earliest(due, rescore_at(models, key, sequence)))
