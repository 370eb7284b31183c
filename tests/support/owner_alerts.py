"""Alerts on their way to the owners, and a partition of owners that folds them on a clock of the test's."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from processors.fold.policies_in_force import Policies
from processors.fold.shared import Shared
from processors.owners.notifications import owner_alert
from processors.owners.policy import load_policy
from schemas.records import AlertNotification, JournalBatch, RiskAlert
from tests.support.recorded_partition import RecordedPartition

NOON = 1_789_992_000_000
"""Monday 2026-09-21 12:00 UTC."""


AT_ONCE = """
policy: at-once
version: 1
digest: {only: []}
storms: {accounts: 1000000, wait: 0}
"""
"""A policy by which nothing waits."""


def risk_alert(account_id: str = "a", **fields: Any) -> RiskAlert:
    """Return an opened warning on an account; its id is of account and rule unless it is given."""
    rule = fields.get("rule", "health")
    basics: dict[str, Any] = {
        "alert_id": f"{account_id}-{rule}",
        "tenant": "acme",
        "account_id": account_id,
        "name": account_id.title(),
        "owner": "Ines",
        "arr_minor": 1_000_00,
        "currency": "EUR",
        "rule": rule,
        "episode": 1,
        "change": "opened",
        "severity": "warning",
        "title": "Health is at risk",
        "reasons": ["Logins fell by 41 % in 14 days"],
        "action": "Call the champion",
        "score": 30.0,
        "band": "at_risk",
        "opened_at": NOON,
        "changed_at": fields.get("opened_at", NOON),
        "received_at": None,
        "model": "default",
        "model_version": "1",
        "partition": 0,
        "sequence": 1,
    }
    return RiskAlert(**basics | fields)


class Owners:
    """The owners of tenant acme: what they are told of alerts, on a clock that the test moves."""

    def __init__(self, now: int = NOON, policy: str = AT_ONCE, *, restarts: bool = False) -> None:
        self.now, self._restarts = now, restarts
        self.partition = RecordedPartition(Shared(policies=Policies(load_policy(policy))))
        self.journal: list[JournalBatch] = []

    def at(self, now: int, *alerts: RiskAlert, **more: Any) -> list[AlertNotification]:
        """Fold a batch with these alerts at this time, and return what it says."""
        self.now = now
        number = len(self.journal)
        changed = [replace(alert, changed_at=now, sequence=number) for alert in alerts]
        batch = JournalBatch(
            sequence=number, written_at=now, owner_alerts=list(map(owner_alert, changed)), **more
        )
        self.journal.append(batch)
        before = len(self.partition.notifications)
        self.partition.add(batch)
        if self._restarts:
            self.partition.restart()
        return self.partition.notifications[before:]

    def after(self, milliseconds: int, *alerts: RiskAlert, **more: Any) -> list[AlertNotification]:
        """Fold a batch so much later, and return what it says."""
        return self.at(self.now + milliseconds, *alerts, **more)


def said(notifications: list[AlertNotification]) -> list[tuple[str, str, str]]:
    """Return recipient, kind and the accounts of each notification."""
    return [(n.recipient, n.kind, " ".join(a.account_id for a in n.alerts)) for n in notifications]
