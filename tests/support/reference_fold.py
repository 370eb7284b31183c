"""A partition's accounts in memory, folded as the worker folds them, and restored as it restores them."""

from __future__ import annotations

from collections.abc import Sequence

from processors.fold.due import DueHeap
from processors.fold.evaluation_cache import LoadedAccount
from processors.fold.fold import Fold, parts
from processors.fold.schedule import schedule, schedule_all
from processors.fold.shared import Shared
from processors.state.account import State
from processors.state.encoding import decode_state
from processors.state.position import Position
from schemas.identity.keys import account_key
from schemas.records import AccountHealth, AccountKpis, JournalBatch, RiskAlert

STRICT = """
model: strict
version: 3
measures:
  usage.frequency: {weight: 100, curve: {points: [[0, 0], [7, 20]]}}
bands: [{band: critical, below: 30}, {band: at_risk, below: 50}, {band: watch, below: 70}, {band: healthy}]
min_coverage: 0
"""
KIND = STRICT.replace("strict", "kind").replace("[7, 20]", "[1, 100]")
"""Two models by usage alone: nobody is well by the one, and everybody is by the other."""


class Book:
    """States, what they share, and all that was published."""

    def __init__(self, shared: Shared | None = None) -> None:
        self.base = shared or Shared()
        self.shared = self.base
        self.states: dict[bytes, bytes] = {}
        self.entries: dict[bytes, bytes] = {}
        self.position = Position()
        self.health: list[AccountHealth] = []
        self.kpis: list[AccountKpis] = []
        self.alerts: list[RiskAlert] = []
        self._heap = DueHeap()
        self._known: dict[bytes, LoadedAccount] = {}

    def add(self, *batches: JournalBatch) -> None:
        """Fold batches together, as far as may be."""
        for part in parts([(batch.sequence, batch) for batch in batches]):
            self._add(part)

    def _add(self, part: Sequence[tuple[int, JournalBatch]]) -> None:
        fold = Fold(
            self.states,
            self.position,
            partition=0,
            shared=self.shared,
            take=lambda key: self._known.pop(key, None),
        )
        for offset, batch in part:
            fold.add(batch, offset, self._heap.peek(batch.written_at))
        outcome = fold.outcome()
        self.states |= outcome.states
        self.entries |= outcome.entries
        self.position = outcome.position
        self._known |= outcome.known
        schedule(self._heap, outcome, self.states, self.shared)
        self.shared = outcome.shared
        self.health += [record for _, record in outcome.health]
        self.kpis += [record for _, record in outcome.kpis]
        self.alerts += [alert for _, alert in outcome.alerts]

    def restart(self) -> None:
        """Forget everything but the changelog's bytes."""
        self.shared = self.base.with_entries(self.entries)
        self._heap, self._known = DueHeap(), {}
        schedule_all(self._heap, self.states, self.shared.models)

    def state(self, tenant: str, account_id: str) -> State:
        return decode_state(self.states[account_key(tenant, account_id)])

    def newest(self, account_id: str) -> AccountHealth:
        return next(one for one in reversed(self.health) if one.account_id == account_id)
