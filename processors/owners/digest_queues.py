"""The alerts that wait for the digests of recipients, and the sending of digests."""

from __future__ import annotations

from processors.owners.batch import OwnersBatch
from processors.owners.digest import DigestEntry, digest, urgency
from processors.owners.policy import Policy
from processors.owners.policy.local_time import next_time_of_day
from processors.owners.rows import DigestQueue, TrackedAlert, inbox_key

__all__ = ["MAX_QUEUED", "DigestQueues"]

MAX_QUEUED = 2_000
"""
Alerts that wait for one recipient's digest: then the half that is at stake least is only counted in it.

Those stay open, and are told once they get worse. Without a bound it would be the number of all open alerts.
"""


class DigestQueues:
    """The queues of recipients while one batch is folded."""

    def __init__(self, batch: OwnersBatch) -> None:
        self._batch = batch

    def add(self, row: TrackedAlert, why: str) -> None:
        """Let an alert wait for the recipient's digest; after a maintenance that comes at once."""
        policy, tenant = self._batch.policy(row), row.alert.tenant
        inbox = self._batch.rows.inbox(tenant, row.recipient)
        inbox.queue[row.alert.alert_id] = why
        due = self._due(policy, row.recipient)
        inbox.due = due if inbox.due is None else min(inbox.due, due)
        self._batch.rows.put(inbox_key(tenant, row.recipient), inbox)
        row.phase, row.due = "queued", None
        self._batch.put(row)
        if len(inbox.queue) >= MAX_QUEUED:
            self._shorten(tenant, inbox)

    def remove(self, row: TrackedAlert) -> None:
        """Take an alert out of the digest that it waits for, if it does."""
        if row.phase != "queued":
            return
        tenant = row.alert.tenant
        inbox = self._batch.rows.inbox(tenant, row.recipient)
        inbox.queue.pop(row.alert.alert_id, None)
        if not inbox.queue:
            inbox.due = None
        self._batch.rows.put(inbox_key(tenant, row.recipient), inbox)

    def send(self, tenant: str, recipient: str, inbox: DigestQueue) -> None:
        """Send the alerts that wait, the most urgent first; those that find no room wait for the next one."""
        policy, inbox.due = self._batch.policy_of(tenant), None
        rows = {each: self._batch.rows.alert(tenant, each) for each in inbox.queue}
        waiting = {each: row for each, row in rows.items() if row is not None and row.phase == "queued"}
        inbox.queue = {each: inbox.queue[each] for each in waiting}
        if waiting and policy.window(self._batch.now) is None:
            entries = [DigestEntry(row.alert, inbox.queue[each]) for each, row in waiting.items()]
            sent = digest(
                self._batch.origin,
                policy.stand_in(recipient, self._batch.now),
                entries,
                policy.digest_alerts,
                inbox.unlisted,
            )
            inbox.unlisted = 0
            self._batch.notify(sent)
            for alert in sent.alerts:
                listed = waiting[alert.alert_id]
                listed.phase = "listed"
                self._batch.put(listed)
                del inbox.queue[alert.alert_id]
        if inbox.queue:
            inbox.due = self._due(policy, recipient)
        self._batch.rows.put(inbox_key(tenant, recipient), inbox)

    def _shorten(self, tenant: str, inbox: DigestQueue) -> None:
        """Keep the half of the queue that is at stake most, and count the rest."""
        found = (self._batch.rows.alert(tenant, each) for each in inbox.queue)
        waiting = sorted((row for row in found if row is not None), key=lambda row: urgency(row.alert))
        for row in waiting[MAX_QUEUED // 2 :]:
            del inbox.queue[row.alert.alert_id]
            inbox.unlisted += 1
            row.phase = "listed"
            self._batch.put(row)

    def _due(self, policy: Policy, recipient: str) -> int:
        person, window = policy.person(recipient), policy.window(self._batch.now)
        if window is not None:
            return person.hours.next_open(window.ends)
        return next_time_of_day(person.hours.zone, person.digest_at, self._batch.now, person.hours.days)
