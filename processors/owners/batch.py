"""The rows, policies and notifications that the parts of the owners' stage share while a batch is folded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from processors.owners.policy import Policy
from processors.owners.rows import Rows, TrackedAlert, alert_key
from processors.state.position import BatchOrigin
from schemas.identity.keys import account_key
from schemas.records import AlertNotification, RiskAlert

__all__ = ["OwnersBatch"]


@dataclass(frozen=True, slots=True)
class OwnersBatch:
    """
    The rows as one batch changes them, and the notifications that it sends, under their recipients' keys.

    ``policy_of`` returns the policy of a tenant, and ``accounts_of`` the number of its accounts in this
    partition.
    """

    rows: Rows
    origin: BatchOrigin
    policy_of: Callable[[str], Policy]
    accounts_of: Callable[[str], int]
    notifications: list[tuple[bytes, AlertNotification]]

    @property
    def now(self) -> int:
        """The journal time of the batch."""
        return self.origin.written_at

    def policy(self, row: TrackedAlert) -> Policy:
        """Return the policy of an alert's tenant."""
        return self.policy_of(row.alert.tenant)

    def put(self, row: TrackedAlert) -> None:
        """Keep the row of an alert."""
        self.rows.put(alert_key(row.alert.tenant, row.alert.alert_id), row)

    def notify(self, sent: AlertNotification) -> None:
        """Send a notification to its recipient."""
        self.notifications.append((account_key(sent.tenant, sent.recipient), sent))

    def is_late(self, alert: RiskAlert) -> bool:
        """Tell whether an alert opened so long ago that it is for the digest."""
        return self.now - alert.opened_at > self.policy_of(alert.tenant).late_after

    def is_snoozed(self, alert: RiskAlert) -> bool:
        """Tell whether somebody wants to hear of an alert later than now."""
        return alert.snoozed_until is not None and alert.snoozed_until > self.now
