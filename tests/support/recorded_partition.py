"""A folded partition that records all that it publishes, and two models to fold it with."""

from __future__ import annotations

from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from processors.state.account import State
from processors.state.encoding import decode_state
from processors.state.position import Position
from schemas.identity.keys import account_key
from schemas.records import (
    AccountHealth,
    AccountKpis,
    AccountTransfer,
    AlertNotification,
    JournalBatch,
    OwnerAlert,
    RiskAlert,
)

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


class RecordedPartition:
    """A partition folded as the worker folds it, with all that it published and its shared entries."""

    def __init__(self, shared: Shared | None = None) -> None:
        self.base = shared or Shared()
        self.folded = FoldedPartition(0, self.base)
        self.entries: dict[bytes, bytes] = {}
        self.health: list[AccountHealth] = []
        self.kpis: list[AccountKpis] = []
        self.alerts: list[RiskAlert] = []
        self.transfers: list[AccountTransfer] = []
        self.owner_alerts: list[OwnerAlert] = []
        self.notifications: list[AlertNotification] = []

    @property
    def states(self) -> dict[bytes, bytes]:
        return self.folded.states

    @property
    def position(self) -> Position:
        return self.folded.position

    def add(self, *batches: JournalBatch) -> None:
        """Fold batches together, as far as may be."""
        for outcome in self.folded.apply([(batch.sequence, batch) for batch in batches]):
            self.entries |= outcome.shared_entries
            self.health += [record for _, record in outcome.health]
            self.kpis += [record for _, record in outcome.kpis]
            self.alerts += [alert for _, alert in outcome.alerts]
            self.transfers += [transfer for _, transfer in outcome.transfers]
            self.owner_alerts += [alert for _, alert in outcome.owner_alerts]
            self.notifications += [told for _, told in outcome.notifications]

    def restart(self) -> None:
        """Start again from the changelog's bytes, as a worker does."""
        self.folded = FoldedPartition(
            0,
            self.base.with_entries(self.entries),
            self.states,
            self.position,
            owner_rows=self.folded.owner_rows,
        )

    def state(self, tenant: str, account_id: str) -> State:
        return decode_state(self.states[account_key(tenant, account_id)])

    def newest(self, account_id: str) -> AccountHealth:
        return next(health for health in reversed(self.health) if health.account_id == account_id)
