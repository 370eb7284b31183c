"""
AlertDispatcher of one batch: what is sent at once, what waits for what, and who else is told.

    opened ── in maintenance, late, only for digests, beyond the budget ──► queued ──► listed in a digest
       │
       ├── outside working hours ──► waiting ──┐
       ▼                                       ▼
     told at once ◄────────────────────────────┘     nobody acknowledged ──► escalated, step by step
       │
       └── each change brings the message up to date and costs nothing; the last one says that it is over
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from processors.owners.batch import OwnersBatch
from processors.owners.digest_queues import DigestQueues
from processors.owners.incidents import Incidents
from processors.owners.messages import AlertMessages
from processors.owners.notifications import SEVERITY_RANK
from processors.owners.policy import Policy
from processors.owners.policy.local_time import local_day
from processors.owners.rows import DigestQueue, Gate, Rows, TrackedAlert, alert_key, inbox_key, row_parts
from processors.owners.storms import kind_of
from processors.state.position import BatchOrigin
from schemas.identity.owners import OWNERS
from schemas.records import AlertAction, AlertNotification, RiskAlert
from schemas.times import MINUTE

__all__ = ["AlertDispatcher"]

BUDGET, LATE, MAINTENANCE, MINOR = "budget", "late", "maintenance", "minor"
"""Why an alert waits for a digest."""

_SUSPICION_CHECK = MINUTE
"""After so long it is looked again whether an alert is one of many."""


class AlertDispatcher:
    """
    AlertDispatcher of the alerts of one batch.

    It changes the rows, and appends to ``notifications`` under the keys of their recipients.
    """

    def __init__(
        self,
        rows: Rows,
        origin: BatchOrigin,
        policy_of: Callable[[str], Policy],
        accounts_of: Callable[[str], int],
        notifications: list[tuple[bytes, AlertNotification]],
    ) -> None:
        self._batch = batch = OwnersBatch(rows, origin, policy_of, accounts_of, notifications)
        self._incidents = Incidents(batch, lambda row: self._deliver(row, budgeted=True))
        self._digests = DigestQueues(batch)
        self._messages = AlertMessages(batch)

    def count(self, alerts: Sequence[RiskAlert]) -> None:
        """Count the alerts of the batch that open, before any is decided on; page where a storm begins."""
        self._incidents.count(alerts)

    def act(self, action: AlertAction) -> None:
        """Do what a person says of a storm; one that is over, or unknown, stays as it is."""
        self._incidents.act(action)

    def take(self, alert: RiskAlert) -> None:
        """Take a change of an alert; one older than what is known is passed over."""
        if alert.account_id == OWNERS:
            self._incidents.take_outage(alert)
            return
        row = self._batch.rows.alert(alert.tenant, alert.alert_id)
        if row is None:
            if alert.change != "resolved":
                self._begin(alert)
        elif alert.sequence >= row.alert.sequence:
            if alert.change == "resolved":
                self._end(row, alert)
            else:
                self._change(row, alert)

    def wake(self, key: bytes) -> None:
        """Do what a row is due for."""
        row = self._batch.rows.get(key)
        if isinstance(row, DigestQueue):
            _, tenant, recipient = row_parts(key)
            self._digests.send(tenant, recipient, row)
            return
        if isinstance(row, Gate):
            self._incidents.wake(row_parts(key)[1])
            return
        if row is None:
            return
        if row.phase == "told":
            if row.stale and self._batch.policy(row).window(self._batch.now) is None:
                self._messages.update(row)
            self._messages.escalate(row)
            self._batch.put(row)
        elif row.phase == "over":
            self._end(row, row.alert)
        elif row.phase == "new":
            self._settle(row)
        else:
            if row.phase == "snoozed":
                row.notes.append("It was snoozed until now.")
            self._deliver(row)

    def _begin(self, alert: RiskAlert) -> None:
        policy = self._batch.policy_of(alert.tenant)
        row = TrackedAlert(None, alert, _owner(alert, policy))
        row.recipient = policy.stand_in(row.owner, self._batch.now)
        if self._batch.is_snoozed(alert):
            row.phase, row.due = "snoozed", alert.snoozed_until
            self._batch.put(row)
        elif alert.acknowledged_by:
            row.phase = "listed"
            self._batch.put(row)
        elif self._batch.is_late(alert):
            self._digests.add(row, LATE)
        elif policy.storms.wait:
            row.phase, row.due = "new", self._batch.now + policy.storms.wait
            self._batch.put(row)
        else:
            self._settle(row, received_at=alert.received_at)

    def _settle(self, row: TrackedAlert, *, received_at: int | None = None) -> None:
        """Deliver a new alert, unless it may be one of many."""
        if self._incidents.is_suspicious(row.alert):
            row.phase, row.due = "new", self._batch.now + _SUSPICION_CHECK
            self._batch.put(row)
        else:
            self._deliver(row, received_at=received_at)

    def _change(self, row: TrackedAlert, alert: RiskAlert) -> None:
        worse = SEVERITY_RANK.get(alert.severity, 0) > SEVERITY_RANK.get(row.alert.severity, 0)
        row.alert = alert
        moved = self._readdress(row)
        if self._batch.is_snoozed(alert):
            self._digests.remove(row)
            self._messages.update(row)
            row.phase, row.due = "snoozed", alert.snoozed_until
            self._batch.put(row)
        elif row.phase in ("new", "held"):
            if alert.acknowledged_by:
                row.phase, row.due = "listed", None
            self._batch.put(row)
        elif moved or row.phase == "snoozed" or (worse and row.phase in ("waiting", "queued", "listed")):
            self._digests.remove(row)
            self._deliver(row, received_at=alert.received_at)
        elif row.phase == "told":
            if worse:
                row.told_at, row.steps, row.raised = self._batch.now, 0, True
            self._messages.update(row, received_at=alert.received_at)
            row.due = self._messages.due(row)
            self._batch.put(row)
        else:
            if alert.acknowledged_by and row.phase in ("waiting", "queued"):
                self._digests.remove(row)
                row.phase, row.due = "listed", None
            self._batch.put(row)

    def _readdress(self, row: TrackedAlert) -> bool:
        """Give the alert to its owner of now; tell who had it that it went, and return whether it did."""
        policy = self._batch.policy(row)
        owner = _owner(row.alert, policy)
        if owner == row.owner:
            return False
        before, recipient = row.recipient, policy.stand_in(owner, self._batch.now)
        row.owner = owner
        if recipient == before:
            return False
        self._digests.remove(row)
        row.recipient = recipient
        had = row.told
        row.told = [each for each in had if each != recipient]
        self._messages.update(row, f"It went to {recipient}.", attention=True)
        if had:
            row.notes = [f"It came from {before}."]
        row.told, row.steps = [], 0
        if row.phase not in ("new", "held"):
            row.phase, row.due = "waiting", None
        return True

    def _end(self, row: TrackedAlert, alert: RiskAlert) -> None:
        """Tell who has a message that the alert is over, and forget it."""
        self._digests.remove(row)
        row.alert = alert
        window = self._batch.policy(row).window(self._batch.now)
        if row.told and window is not None:
            row.phase, row.stale, row.due = "over", True, window.ends
            self._batch.put(row)
            return
        received_at = None if row.phase == "over" else alert.received_at
        row.raised = False
        self._messages.update(row, received_at=received_at)
        self._batch.rows.remove(alert_key(alert.tenant, alert.alert_id))

    def _deliver(self, row: TrackedAlert, *, received_at: int | None = None, budgeted: bool = False) -> None:
        """
        Tell the recipient at once, or say what the alert waits for.

        A ``budgeted`` one keeps to the budget even where it is critical.
        """
        policy, alert, now = self._batch.policy(row), row.alert, self._batch.now
        if self._incidents.is_in_storm(alert):
            row.phase, row.storm, row.due = "held", kind_of(alert), None
            self._batch.put(row)
            return
        row.recipient = policy.stand_in(row.owner, now)
        person = policy.person(row.recipient)
        if policy.window(now) is not None:
            self._digests.add(row, MAINTENANCE)
            return
        if alert.severity in policy.digest_only:
            self._digests.add(row, MINOR)
            return
        critical = alert.severity == "critical"
        if not critical and not person.hours.open_at(now):
            row.phase, row.due = "waiting", person.hours.next_open(now)
            row.notes = [*row.notes, "It waited for your working hours."]
            self._batch.put(row)
            return
        if budgeted or not critical:
            inbox = self._batch.rows.inbox(alert.tenant, row.recipient)
            today = local_day(person.hours.zone, now)
            if inbox.day != today:
                inbox.day, inbox.sent = today, 0
            if inbox.sent >= person.budget:
                self._digests.add(row, BUDGET)
                return
            inbox.sent += 1
            self._batch.rows.put(inbox_key(alert.tenant, row.recipient), inbox)
        self._messages.send(row, "alert", row.recipient, row.notes, received_at)
        row.phase, row.told_at, row.steps, row.notes, row.stale = "told", now, 0, [], False
        row.raised = False
        row.told = list(dict.fromkeys([*row.told, row.recipient]))
        row.due = self._messages.due(row)
        self._batch.put(row)


def _owner(alert: RiskAlert, policy: Policy) -> str:
    return alert.assignee or alert.owner or policy.segments.get(alert.segment or "") or policy.fallback
