"""The lives of accounts as a test tells them: journal batches of one partition, each at a time it chooses."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec

from schemas.records import AccountHealth, AlertAction, ModelChange, RiskAlert
from tests.support.generators import batch
from tests.support.recorded_partition import RecordedPartition

__all__ = ["AccountStory"]


class AccountStory:
    """Journal of one partition, written batch by batch; ``now`` is the time of the newest batch."""

    def __init__(self, start: int) -> None:
        self.partition = RecordedPartition()
        self.now = start
        self._numbers = itertools.count()

    @property
    def alerts(self) -> list[RiskAlert]:
        """All alerts published so far."""
        return self.partition.alerts

    @property
    def health(self) -> AccountHealth:
        """The newest health published."""
        return self.partition.health[-1]

    def event(self, type_: type, account_id: str = "a", tenant: str = "acme", **fields: Any) -> Any:
        """Return an event of an account, received now; it happened ``at`` a time, or now."""
        return type_(
            event_id=f"e{next(self._numbers)}",
            tenant=tenant,
            account_id=account_id,
            source="test",
            occurred_at=fields.pop("at", self.now),
            received_at=self.now,
            **fields,
        )

    def at(
        self,
        now: int,
        *events: Any,
        actions: list[AlertAction] | None = None,
        models: list[ModelChange] | None = None,
    ) -> list[RiskAlert]:
        """Write one batch at a time and return the alerts that it made."""
        self.now = now
        written = batch(self.partition.position.sequence + 1, now, list(events))
        known = len(self.alerts)
        self.partition.add(msgspec.structs.replace(written, actions=actions or [], models=models or []))
        return self.alerts[known:]

    def after(self, ms: int, *events: Any, models: list[ModelChange] | None = None) -> list[RiskAlert]:
        """Write one batch so many milliseconds after the newest."""
        return self.at(self.now + ms, *events, models=models)
