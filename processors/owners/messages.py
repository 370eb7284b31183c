"""The messages of single alerts: sent, brought up to date, and escalated while nobody acknowledges them."""

from __future__ import annotations

from collections.abc import Iterable

from processors.measures.formats import count
from processors.owners.batch import OwnersBatch
from processors.owners.notifications import notification
from processors.owners.policy import MANAGER, EscalationStep
from processors.owners.policy.local_time import local_date
from processors.owners.rows import TrackedAlert
from schemas.times import HOUR, MINUTE

__all__ = ["AlertMessages"]


class AlertMessages:
    """The messages of alerts while one batch is folded."""

    def __init__(self, batch: OwnersBatch) -> None:
        self._batch = batch

    def send(
        self,
        row: TrackedAlert,
        kind: str,
        recipient: str,
        notes: Iterable[str],
        received_at: int | None,
        *,
        attention: bool = True,
    ) -> None:
        """Send the message of an alert to one recipient; it says whose it is where that person is away."""
        policy, notes = self._batch.policy(row), list(notes)
        absence = policy.absence(row.owner, self._batch.now)
        if recipient == row.recipient != row.owner and absence is not None:
            back = local_date(policy.person(row.owner).hours.zone, absence.ends)
            notes.append(f"It is for {row.owner}, who is away until {back}.")
        sent = notification(
            self._batch.origin,
            kind,
            recipient,
            [row.alert],
            notes=notes,
            received_at=received_at,
            attention=attention,
        )
        self._batch.notify(sent)

    def update(
        self, row: TrackedAlert, *notes: str, received_at: int | None = None, attention: bool = False
    ) -> None:
        """
        Bring the messages of an alert up to date, after the maintenance if there is some now.

        Where it was raised, or with ``attention``, whoever has a message must notice that.
        """
        if not row.told:
            return
        if self._batch.policy(row).window(self._batch.now) is not None:
            row.stale = True
            return
        for recipient in row.told:
            self.send(row, "alert", recipient, notes, received_at, attention=attention or row.raised)
        row.stale = row.raised = False

    def escalate(self, row: TrackedAlert) -> None:
        """Make the next step of the escalation if it is time for it; set when the row is due next."""
        policy, alert, now = self._batch.policy(row), row.alert, self._batch.now
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
                self.send(row, "escalation", to, notes, None)
                row.told = [*row.told, to]
                break
            step = self._next_step(row)
        row.due = self.due(row)

    def due(self, row: TrackedAlert) -> int | None:
        """Return when an alert is due of which somebody was told."""
        step, window = self._next_step(row), self._batch.policy(row).window(self._batch.now)
        times = [] if step is None else [row.told_at + step.after]
        if window is not None:
            times = [max(window.ends, time) for time in times]
            if row.stale:
                times.append(window.ends)
        return min(times, default=None)

    def _next_step(self, row: TrackedAlert) -> EscalationStep | None:
        steps = self._batch.policy(row).escalation.get(row.alert.severity, ())
        return steps[row.steps] if row.steps < len(steps) and not row.alert.acknowledged_by else None


def _span(milliseconds: int) -> str:
    """Return a time in whole hours, or in minutes below an hour, in words."""
    if milliseconds >= HOUR:
        return count(milliseconds // HOUR, "hour")
    return count(milliseconds // MINUTE, "minute")
