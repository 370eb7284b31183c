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

from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from processors.measures.formats import count
from processors.owners.digest import DigestEntry, digest
from processors.owners.notifications import SEVERITY_RANK, notification
from processors.owners.outages import begun
from processors.owners.policy import MANAGER, EscalationStep, Policy
from processors.owners.policy.local_time import local_date, local_day, next_time_of_day
from processors.owners.rows import (
    DigestQueue,
    Gate,
    Rows,
    SourceOutage,
    TrackedAlert,
    alert_key,
    gate_key,
    inbox_key,
    row_parts,
)
from processors.owners.storms import (
    accounts_within,
    changed,
    enter,
    is_suspicious,
    kind_of,
    new_storm,
    passed,
    storm_limit,
)
from processors.state.position import BatchOrigin
from schemas.identity.keys import account_key
from schemas.identity.owners import OWNERS
from schemas.records import AlertAction, AlertNotification, RiskAlert
from schemas.times import HOUR, MINUTE

__all__ = ["AlertDispatcher"]

BUDGET, LATE, MAINTENANCE, MINOR = "budget", "late", "maintenance", "minor"
"""Why an alert waits for a digest."""

_SUSPICION_CHECK = MINUTE
"""After so long it is looked again whether an alert is one of many."""

_MAX_QUEUE = 10_000
"""Alerts that wait for one recipient's digest; further ones are only counted in it."""


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
        self._rows = rows
        self._origin = origin
        self._now = origin.written_at
        self._policy_of = policy_of
        self._accounts_of = accounts_of
        self._gates: dict[str, Gate] = {}
        self._counts: dict[tuple[str, str], tuple[int, int]] = {}
        self._notifications = notifications

    def count(self, alerts: Sequence[RiskAlert]) -> None:
        """Count the alerts of the batch that open, before any is decided on; page where a storm begins."""
        kinds: dict[tuple[str, str], list[RiskAlert]] = {}
        for alert in alerts:
            known = alert.account_id == OWNERS or self._rows.alert(alert.tenant, alert.alert_id) is not None
            if known or alert.change == "resolved" or self._is_late(alert) or self._snoozed(alert):
                continue
            kinds.setdefault((alert.tenant, kind_of(alert)), []).append(alert)
        for (tenant, kind), opened in kinds.items():
            gate, within = self._gate(tenant), self._policy_of(tenant).storms.within
            enter(gate, kind, opened, self._now, within)
            accounts, limit = self._accounts(tenant, kind)
            if accounts >= limit and kind not in gate.storms:
                gate.storms[kind] = storm = new_storm(opened[-1], accounts, self._origin, within)
                self._page(storm.alert)
            self._put_gate(tenant, gate)

    def act(self, action: AlertAction) -> None:
        """Do what a person says of a storm; one that is over, or unknown, stays as it is."""
        gate = self._gate(action.tenant)
        for kind, storm in gate.storms.items():
            if storm.alert.alert_id != action.alert_id:
                continue
            note = action.note or storm.alert.note
            if action.kind in ("resolved", "dismissed"):
                resolution = "done" if action.kind == "resolved" else "dismissed"
                self._end_storm(gate, kind, resolution, note=note, feedback=action.feedback)
            elif action.kind == "acknowledged":
                by = {"acknowledged_by": action.author, "acknowledged_at": action.occurred_at}
                self._page(changed(storm, self._origin, change="updated", note=note, **by))
            elif action.kind == "assigned":
                self._page(changed(storm, self._origin, change="updated", assignee=action.assignee))
            self._put_gate(action.tenant, gate)
            return

    def take(self, alert: RiskAlert) -> None:
        """Take a change of an alert; one older than what is known is passed over."""
        if alert.account_id == OWNERS:
            self._take_outage(alert)
            return
        row = self._rows.alert(alert.tenant, alert.alert_id)
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
        row = self._rows.get(key)
        if isinstance(row, DigestQueue):
            _, tenant, recipient = row_parts(key)
            self._send_digest(tenant, recipient, row)
            return
        if isinstance(row, Gate):
            tenant = row_parts(key)[1]
            gate = self._gate(tenant)
            for kind in passed(gate.storms, self._now, self._policy_of(tenant).storms.quiet):
                self._end_storm(gate, kind, "recovered")
            self._put_gate(tenant, gate)
            return
        if row is None:
            return
        if row.phase == "told":
            if row.stale and self._policy(row).window(self._now) is None:
                self._update(row)
            self._escalate(row)
            self._put(row)
        elif row.phase == "over":
            self._end(row, row.alert)
        elif row.phase == "new":
            self._settle(row)
        else:
            if row.phase == "snoozed":
                row.notes.append("It was snoozed until now.")
            self._deliver(row)

    def _begin(self, alert: RiskAlert) -> None:
        policy = self._policy_of(alert.tenant)
        row = TrackedAlert(None, alert, _owner(alert, policy))
        row.recipient = policy.stand_in(row.owner, self._now)
        if self._snoozed(alert):
            row.phase, row.due = "snoozed", alert.snoozed_until
            self._put(row)
        elif alert.acknowledged_by:
            row.phase = "listed"
            self._put(row)
        elif self._is_late(alert):
            self._queue(row, LATE)
        elif policy.storms.wait:
            row.phase, row.due = "new", self._now + policy.storms.wait
            self._put(row)
        else:
            self._settle(row, received_at=alert.received_at)

    def _settle(self, row: TrackedAlert, *, received_at: int | None = None) -> None:
        """Deliver a new alert, unless it may be one of many."""
        tenant = row.alert.tenant
        kind = kind_of(row.alert)
        if kind not in self._gate(tenant).storms and is_suspicious(*self._accounts(tenant, kind)):
            row.phase, row.due = "new", self._now + _SUSPICION_CHECK
            self._put(row)
        else:
            self._deliver(row, received_at=received_at)

    def _end_storm(self, gate: Gate, kind: str, resolution: str, **fields: object) -> None:
        """Say that a storm is over, and release one by one what it held and is still open."""
        storm = gate.storms.pop(kind)
        gate.recent.pop(kind, None)
        tenant = storm.alert.tenant
        held = [row for row in self._rows.alerts(tenant) if row.phase == "held" and row.storm == kind]
        ended = changed(storm, self._origin, change="resolved", resolution=resolution, **fields)
        self._page(ended, f"{count(len(held), 'alert')} that it held are still open, and go to their owners.")
        self._put_gate(tenant, gate)
        cause = f" The cause: {storm.alert.note}" if resolution == "done" and storm.alert.note else ""
        for row in held:
            row.phase, row.storm = "waiting", ""
            row.notes = [*row.notes, f"It was held while many accounts had the same alert.{cause}"]
            self._deliver(row, budgeted=True)

    def _take_outage(self, alert: RiskAlert) -> None:
        """Page when the first partition says that a source is silent, and when the last hears it again."""
        gate, topic = self._gate(alert.tenant), alert.subject
        known = gate.outages.get(topic)
        if alert.change == "opened" and known is None:
            gate.outages[topic] = SourceOutage(begun(alert), [alert.partition])
            self._page(gate.outages[topic].alert)
        elif alert.change == "opened" and known is not None:
            known.partitions = sorted({*known.partitions, alert.partition})
        elif known is not None:
            known.partitions = [each for each in known.partitions if each != alert.partition]
            if not known.partitions:
                del gate.outages[topic]
                self._page(replace(alert, alert_id=known.alert.alert_id, opened_at=known.alert.opened_at))
        self._put_gate(alert.tenant, gate)

    def _page(self, alert: RiskAlert, *notes: str) -> None:
        recipient = self._policy_of(alert.tenant).incidents
        opened = alert.change == "opened"
        received_at = alert.received_at if opened else None
        sent = notification(
            self._origin, "page", recipient, [alert], notes=notes, received_at=received_at, attention=opened
        )
        self._notifications.append((account_key(alert.tenant, recipient), sent))

    def _gate(self, tenant: str) -> Gate:
        """Return the gate of a tenant; every part of the batch sees the same one."""
        if tenant not in self._gates:
            self._gates[tenant] = self._rows.gate(tenant)
        return self._gates[tenant]

    def _accounts(self, tenant: str, kind: str) -> tuple[int, int]:
        """Return how many accounts have a new alert of a kind, and how many make a storm."""
        if (tenant, kind) not in self._counts:
            gate, limits = self._gate(tenant), self._policy_of(tenant).storms
            self._counts[tenant, kind] = (
                accounts_within(gate, kind, self._now, limits.within),
                storm_limit(gate, limits, self._accounts_of(tenant)),
            )
        return self._counts[tenant, kind]

    def _put_gate(self, tenant: str, gate: Gate) -> None:
        quiet = self._policy_of(tenant).storms.quiet
        gate.due = min((storm.last_at + quiet for storm in gate.storms.values()), default=None)
        self._rows.put(gate_key(tenant), gate)

    def _is_late(self, alert: RiskAlert) -> bool:
        return self._now - alert.opened_at > self._policy_of(alert.tenant).late_after

    def _change(self, row: TrackedAlert, alert: RiskAlert) -> None:
        worse = SEVERITY_RANK.get(alert.severity, 0) > SEVERITY_RANK.get(row.alert.severity, 0)
        row.alert = alert
        moved = self._readdress(row)
        if self._snoozed(alert):
            self._unqueue(row)
            self._update(row)
            row.phase, row.due = "snoozed", alert.snoozed_until
            self._put(row)
        elif row.phase in ("new", "held"):
            if alert.acknowledged_by:
                row.phase, row.due = "listed", None
            self._put(row)
        elif moved or row.phase == "snoozed" or (worse and row.phase in ("waiting", "queued", "listed")):
            self._unqueue(row)
            self._deliver(row, received_at=alert.received_at)
        elif row.phase == "told":
            if worse:
                row.told_at, row.steps, row.raised = self._now, 0, True
            self._update(row, received_at=alert.received_at)
            row.due = self._told_due(row)
            self._put(row)
        else:
            if alert.acknowledged_by and row.phase in ("waiting", "queued"):
                self._unqueue(row)
                row.phase, row.due = "listed", None
            self._put(row)

    def _readdress(self, row: TrackedAlert) -> bool:
        """Give the alert to its owner of now; tell who had it that it went, and return whether it did."""
        policy = self._policy(row)
        owner = _owner(row.alert, policy)
        if owner == row.owner:
            return False
        before, recipient = row.recipient, policy.stand_in(owner, self._now)
        row.owner = owner
        if recipient == before:
            return False
        self._unqueue(row)
        row.recipient = recipient
        had = row.told
        row.told = [each for each in had if each != recipient]
        self._update(row, f"It went to {recipient}.", attention=True)
        if had:
            row.notes = [f"It came from {before}."]
        row.told, row.steps = [], 0
        if row.phase not in ("new", "held"):
            row.phase, row.due = "waiting", None
        return True

    def _end(self, row: TrackedAlert, alert: RiskAlert) -> None:
        """Tell who has a message that the alert is over, and forget it."""
        self._unqueue(row)
        row.alert = alert
        window = self._policy(row).window(self._now)
        if row.told and window is not None:
            row.phase, row.stale, row.due = "over", True, window.ends
            self._put(row)
            return
        received_at = None if row.phase == "over" else alert.received_at
        row.raised = False
        self._update(row, received_at=received_at)
        self._rows.remove(alert_key(alert.tenant, alert.alert_id))

    def _deliver(self, row: TrackedAlert, *, received_at: int | None = None, budgeted: bool = False) -> None:
        """
        Tell the recipient at once, or say what the alert waits for.

        A ``budgeted`` one keeps to the budget even where it is critical.
        """
        policy, alert, now = self._policy(row), row.alert, self._now
        kind = kind_of(alert)
        if kind in self._gate(alert.tenant).storms:
            row.phase, row.storm, row.due = "held", kind, None
            self._put(row)
            return
        row.recipient = policy.stand_in(row.owner, now)
        person = policy.person(row.recipient)
        if policy.window(now) is not None:
            self._queue(row, MAINTENANCE)
            return
        if alert.severity in policy.digest_only:
            self._queue(row, MINOR)
            return
        critical = alert.severity == "critical"
        if not critical and not person.hours.open_at(now):
            row.phase, row.due = "waiting", person.hours.next_open(now)
            row.notes = [*row.notes, "It waited for your working hours."]
            self._put(row)
            return
        if budgeted or not critical:
            inbox, today = self._rows.inbox(alert.tenant, row.recipient), local_day(person.hours.zone, now)
            if inbox.day != today:
                inbox.day, inbox.sent = today, 0
            if inbox.sent >= person.budget:
                self._queue(row, BUDGET)
                return
            inbox.sent += 1
            self._rows.put(inbox_key(alert.tenant, row.recipient), inbox)
        self._send(row, "alert", row.recipient, row.notes, received_at)
        row.phase, row.told_at, row.steps, row.notes, row.stale = "told", now, 0, [], False
        row.raised = False
        row.told = list(dict.fromkeys([*row.told, row.recipient]))
        row.due = self._told_due(row)
        self._put(row)

    def _update(
        self, row: TrackedAlert, *notes: str, received_at: int | None = None, attention: bool = False
    ) -> None:
        """
        Bring the messages of an alert up to date, after the maintenance if there is some now.

        Where it was raised, or with ``attention``, whoever has a message must notice that.
        """
        if not row.told:
            return
        if self._policy(row).window(self._now) is not None:
            row.stale = True
            return
        for recipient in row.told:
            self._send(row, "alert", recipient, notes, received_at, attention=attention or row.raised)
        row.stale = row.raised = False

    def _escalate(self, row: TrackedAlert) -> None:
        """Make the next step of the escalation if it is time for it; set when the row is due next."""
        policy, alert, now = self._policy(row), row.alert, self._now
        step = self._next_step(row)
        while step is not None and row.told_at + step.after <= now and policy.window(now) is None:
            manager = policy.person(row.recipient).manager or policy.fallback
            to = policy.stand_in(manager if step.to == MANAGER else step.to, now)
            hours = policy.person(to).hours
            if alert.severity != "critical" and not hours.open_at(now):
                row.due = hours.next_open(now)
                return
            row.steps += 1
            if to not in row.told:
                told = " and ".join(row.told)
                notes = [f"Nobody acknowledged it for {_span(now - row.told_at)}; {told} had it."]
                self._send(row, "escalation", to, notes, None)
                row.told = [*row.told, to]
                break
            step = self._next_step(row)
        row.due = self._told_due(row)

    def _next_step(self, row: TrackedAlert) -> EscalationStep | None:
        steps = self._policy(row).escalation.get(row.alert.severity, ())
        return steps[row.steps] if row.steps < len(steps) and not row.alert.acknowledged_by else None

    def _told_due(self, row: TrackedAlert) -> int | None:
        """Return when an alert is due of which somebody was told."""
        step, window = self._next_step(row), self._policy(row).window(self._now)
        times = [] if step is None else [row.told_at + step.after]
        if window is not None:
            times = [max(window.ends, time) for time in times]
            if row.stale:
                times.append(window.ends)
        return min(times, default=None)

    def _queue(self, row: TrackedAlert, why: str) -> None:
        """Let an alert wait for the recipient's digest; after a maintenance that comes at once."""
        policy, tenant = self._policy(row), row.alert.tenant
        inbox = self._rows.inbox(tenant, row.recipient)
        inbox.queue = {**inbox.queue, row.alert.alert_id: why}
        due = self._digest_due(policy, row.recipient)
        inbox.due = due if inbox.due is None else min(inbox.due, due)
        self._rows.put(inbox_key(tenant, row.recipient), inbox)
        row.phase, row.due = "queued", None
        self._put(row)

    def _unqueue(self, row: TrackedAlert) -> None:
        if row.phase != "queued":
            return
        tenant = row.alert.tenant
        inbox = self._rows.inbox(tenant, row.recipient)
        inbox.queue = {each: why for each, why in inbox.queue.items() if each != row.alert.alert_id}
        if not inbox.queue:
            inbox.due = None
        self._rows.put(inbox_key(tenant, row.recipient), inbox)

    def _digest_due(self, policy: Policy, recipient: str) -> int:
        person, window = policy.person(recipient), policy.window(self._now)
        if window is not None:
            return person.hours.next_open(window.ends)
        return next_time_of_day(person.hours.zone, person.digest_at, self._now, person.hours.days)

    def _send_digest(self, tenant: str, recipient: str, inbox: DigestQueue) -> None:
        """Send the alerts that wait, the most urgent first; those that find no room wait for the next one."""
        policy, inbox.due = self._policy_of(tenant), None
        rows = {each: self._rows.alert(tenant, each) for each in inbox.queue}
        waiting = {each: row for each, row in rows.items() if row is not None and row.phase == "queued"}
        inbox.queue = {each: inbox.queue[each] for each in waiting}
        if waiting and policy.window(self._now) is None:
            entries = [DigestEntry(row.alert, inbox.queue[each]) for each, row in waiting.items()]
            sent = digest(
                self._origin,
                policy.stand_in(recipient, self._now),
                entries,
                policy.digest_alerts,
                inbox.unlisted,
            )
            inbox.unlisted = 0
            self._notifications.append((account_key(tenant, sent.recipient), sent))
            for alert in sent.alerts:
                listed = waiting[alert.alert_id]
                listed.phase = "listed"
                self._put(listed)
                del inbox.queue[alert.alert_id]
        if inbox.queue:
            inbox.due = self._digest_due(policy, recipient)
        self._rows.put(inbox_key(tenant, recipient), inbox)

    def _send(
        self,
        row: TrackedAlert,
        kind: str,
        recipient: str,
        notes: Iterable[str],
        received_at: int | None,
        *,
        attention: bool = True,
    ) -> None:
        policy, notes = self._policy(row), list(notes)
        absence = policy.absence(row.owner, self._now)
        if recipient == row.recipient != row.owner and absence is not None:
            back = local_date(policy.person(row.owner).hours.zone, absence.ends)
            notes.append(f"It is for {row.owner}, who is away until {back}.")
        sent = notification(
            self._origin,
            kind,
            recipient,
            [row.alert],
            notes=notes,
            received_at=received_at,
            attention=attention,
        )
        self._notifications.append((account_key(row.alert.tenant, recipient), sent))

    def _policy(self, row: TrackedAlert) -> Policy:
        return self._policy_of(row.alert.tenant)

    def _put(self, row: TrackedAlert) -> None:
        self._rows.put(alert_key(row.alert.tenant, row.alert.alert_id), row)

    def _snoozed(self, alert: RiskAlert) -> bool:
        return alert.snoozed_until is not None and alert.snoozed_until > self._now


def _span(milliseconds: int) -> str:
    """Return a time in whole hours, or in minutes below an hour, in words."""
    if milliseconds >= HOUR:
        return count(milliseconds // HOUR, "hour")
    return count(milliseconds // MINUTE, "minute")


def _owner(alert: RiskAlert, policy: Policy) -> str:
    return alert.assignee or alert.owner or policy.segments.get(alert.segment or "") or policy.fallback
