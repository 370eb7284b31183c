"""Fold of the changes of alerts that reach the owners of a tenant into their rows and into notifications."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from processors.owners.notifications import notification
from processors.owners.rows import Rows, TrackedAlert, alert_key
from processors.state.position import BatchOrigin
from schemas.identity.keys import account_key
from schemas.records import AlertNotification, JournalBatch, RiskAlert

__all__ = ["OwnersFold"]

DEFAULT_RECIPIENT = "customer-success"
"""Who is told of an alert on an account that has no owner."""


class OwnersFold:
    """
    Batches of one partition, folded one after the other into rows and notifications.

    ``stored`` maps the keys of rows to their bytes (``processors.owners.rows``).
    """

    def __init__(self, stored: Mapping[bytes, bytes]) -> None:
        self.notifications: list[tuple[bytes, AlertNotification]] = []
        self._rows = Rows(stored)

    def add(self, batch: JournalBatch, origin: BatchOrigin, due: Iterable[bytes]) -> None:
        """Fold the part of a batch that concerns owners; ``due`` names the stored rows that are due."""
        for owner_alert in batch.owner_alerts:
            self._take(owner_alert.alert, origin)
        for key in self._rows.due(due, origin.written_at):
            self._wake(key, origin)

    def changed_rows(self) -> dict[bytes, bytes | None]:
        """Return the rows that the batches change, as bytes; ``None`` for one that is removed."""
        return self._rows.encoded()

    def _take(self, alert: RiskAlert, origin: BatchOrigin) -> None:
        key = alert_key(alert.tenant, alert.alert_id)
        if alert.change == "resolved":
            row = self._rows.get(key)
            self._rows.remove(key)
            if row is not None:
                self._tell(row.recipient, alert, origin, received_at=alert.received_at)
            return
        snoozed = alert.snoozed_until is not None and alert.snoozed_until > origin.written_at
        recipient = _recipient(alert)
        self._rows.put(key, TrackedAlert(alert.snoozed_until if snoozed else None, alert, recipient))
        self._tell(recipient, alert, origin, received_at=alert.received_at)

    def _wake(self, key: bytes, origin: BatchOrigin) -> None:
        row = self._rows.get(key)
        if row is not None:
            row.due = None
            self._rows.put(key, row)
            self._tell(row.recipient, row.alert, origin, "It was snoozed until now.")

    def _tell(
        self,
        recipient: str,
        alert: RiskAlert,
        origin: BatchOrigin,
        *notes: str,
        received_at: int | None = None,
    ) -> None:
        told = notification(origin, "alert", recipient, [alert], notes=notes, received_at=received_at)
        self.notifications.append((account_key(alert.tenant, recipient), told))


def _recipient(alert: RiskAlert) -> str:
    return alert.assignee or alert.owner or DEFAULT_RECIPIENT
