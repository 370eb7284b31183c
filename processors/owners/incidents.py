"""Incidents of a tenant, storms and outages of sources: each is one page, and a storm holds its alerts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from processors.measures.formats import count
from processors.owners.batch import OwnersBatch
from processors.owners.notifications import notification
from processors.owners.outages import begun
from processors.owners.rows import Gate, SourceOutage, TrackedAlert, gate_key
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
from schemas.identity.owners import OWNERS
from schemas.records import AlertAction, RiskAlert

__all__ = ["Incidents"]


class Incidents:
    """
    The incidents of tenants, in their gates, while one batch is folded.

    ``release`` delivers an alert that a storm held, once that is over.
    """

    def __init__(self, batch: OwnersBatch, release: Callable[[TrackedAlert], None]) -> None:
        self._batch = batch
        self._release = release
        self._gates: dict[str, Gate] = {}
        self._counts: dict[tuple[str, str], tuple[int, int]] = {}

    def count(self, alerts: Sequence[RiskAlert]) -> None:
        """Count the alerts of the batch that open, before any is decided on; page where a storm begins."""
        kinds: dict[tuple[str, str], list[RiskAlert]] = {}
        batch = self._batch
        for alert in alerts:
            known = alert.account_id == OWNERS or batch.rows.alert(alert.tenant, alert.alert_id) is not None
            if known or alert.change == "resolved" or batch.is_late(alert) or batch.is_snoozed(alert):
                continue
            kinds.setdefault((alert.tenant, kind_of(alert)), []).append(alert)
        for (tenant, kind), opened in kinds.items():
            gate, within = self._gate(tenant), self._batch.policy_of(tenant).storms.within
            enter(gate, kind, opened, self._batch.now, within)
            accounts, limit = self._accounts(tenant, kind)
            if accounts >= limit and kind not in gate.storms:
                gate.storms[kind] = storm = new_storm(opened[-1], accounts, self._batch.origin, within)
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
                self._page(changed(storm, self._batch.origin, change="updated", note=note, **by))
            elif action.kind == "assigned":
                self._page(changed(storm, self._batch.origin, change="updated", assignee=action.assignee))
            self._put_gate(action.tenant, gate)
            return

    def take_outage(self, alert: RiskAlert) -> None:
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

    def wake(self, tenant: str) -> None:
        """End the storms of a tenant to which no account came for a while."""
        gate = self._gate(tenant)
        for kind in passed(gate.storms, self._batch.now, self._batch.policy_of(tenant).storms.quiet):
            self._end_storm(gate, kind, "recovered")
        self._put_gate(tenant, gate)

    def is_in_storm(self, alert: RiskAlert) -> bool:
        """Tell whether an alert is one of a storm."""
        return kind_of(alert) in self._gate(alert.tenant).storms

    def is_suspicious(self, alert: RiskAlert) -> bool:
        """Tell whether an alert may be one of the first of a storm that has not begun."""
        return not self.is_in_storm(alert) and is_suspicious(*self._accounts(alert.tenant, kind_of(alert)))

    def _end_storm(self, gate: Gate, kind: str, resolution: str, **fields: object) -> None:
        """Say that a storm is over, and release one by one what it held and is still open."""
        storm = gate.storms.pop(kind)
        gate.recent.pop(kind, None)
        tenant = storm.alert.tenant
        held = [row for row in self._batch.rows.alerts(tenant) if row.phase == "held" and row.storm == kind]
        ended = changed(storm, self._batch.origin, change="resolved", resolution=resolution, **fields)
        self._page(ended, f"{count(len(held), 'alert')} that it held are still open, and go to their owners.")
        self._put_gate(tenant, gate)
        cause = f" The cause: {storm.alert.note}" if resolution == "done" and storm.alert.note else ""
        for row in held:
            row.phase, row.storm = "waiting", ""
            row.notes = [*row.notes, f"It was held while many accounts had the same alert.{cause}"]
            self._release(row)

    def _page(self, alert: RiskAlert, *notes: str) -> None:
        recipient = self._batch.policy_of(alert.tenant).incidents
        opened = alert.change == "opened"
        received_at = alert.received_at if opened else None
        sent = notification(
            self._batch.origin,
            "page",
            recipient,
            [alert],
            notes=notes,
            received_at=received_at,
            attention=opened,
        )
        self._batch.notify(sent)

    def _gate(self, tenant: str) -> Gate:
        """Return the gate of a tenant; every part of the batch sees the same one."""
        if tenant not in self._gates:
            self._gates[tenant] = self._batch.rows.gate(tenant)
        return self._gates[tenant]

    def _accounts(self, tenant: str, kind: str) -> tuple[int, int]:
        """Return how many accounts have a new alert of a kind, and how many make a storm."""
        if (tenant, kind) not in self._counts:
            gate, limits = self._gate(tenant), self._batch.policy_of(tenant).storms
            self._counts[tenant, kind] = (
                accounts_within(gate, kind, self._batch.now, limits.within),
                storm_limit(gate, limits, self._batch.accounts_of(tenant)),
            )
        return self._counts[tenant, kind]

    def _put_gate(self, tenant: str, gate: Gate) -> None:
        quiet = self._batch.policy_of(tenant).storms.quiet
        gate.due = min((storm.last_at + quiet for storm in gate.storms.values()), default=None)
        self._batch.rows.put(gate_key(tenant), gate)
