"""
Acts of people from the console: written to Kafka, and remembered until the pipeline has applied them.

What is remembered is only what a page marks as on its way. It is lost with the process, and nothing else is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from bellbuoy.console.live import Picture
from bellbuoy.console.metrics import ACTS
from bellbuoy.errors import OperatorError
from bellbuoy.operations.acts.alerts import AlertActionError, write_alert_action
from bellbuoy.settings import Settings
from schemas.records import AlertAction, RiskAlert

__all__ = ["PENDING_SECONDS", "ActsOnTheirWay", "PendingAct"]

PENDING_SECONDS = 120.0
"""After so long an act that was not applied is not waited for any more."""

_LATE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class PendingAct:
    """An act that Kafka has and that no record of the alert shows yet; ``late`` when that takes long."""

    action: AlertAction
    written: float

    @property
    def late(self) -> bool:
        """Whether the pipeline takes longer for it than it should."""
        return time.monotonic() - self.written > _LATE_SECONDS


class ActsOnTheirWay:
    """The acts written by this process that are not applied yet; any thread may ask and add."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._pending: dict[str, PendingAct] = {}

    def act(self, alert: RiskAlert, kind: str, **said: object) -> AlertAction:
        """Write an act and remember it; raise what ``write_alert_action`` raises."""
        try:
            action = write_alert_action(self._settings, alert, kind, **said)  # type: ignore[arg-type]
        except AlertActionError:
            ACTS.labels(kind=kind, outcome="refused").inc()
            raise
        except OperatorError:
            ACTS.labels(kind=kind, outcome="failed").inc()
            raise
        ACTS.labels(kind=kind, outcome="written").inc()
        with self._lock:
            self._pending[alert.alert_id] = PendingAct(action, time.monotonic())
        return action

    def pending(self, picture: Picture) -> Mapping[str, PendingAct]:
        """Return what is on its way, by alert, without what the picture shows already."""
        with self._lock:
            for alert_id, act in list(self._pending.items()):
                if act.action.tenant != picture.tenant:
                    continue
                alert = picture.alerts.get(alert_id)
                old = time.monotonic() - act.written > PENDING_SECONDS
                if old or alert is None or _is_applied(alert, act.action):
                    del self._pending[alert_id]
            return dict(self._pending)


def _is_applied(alert: RiskAlert, action: AlertAction) -> bool:
    if action.note is not None and alert.note != action.note:
        return False
    if action.kind == "acknowledged":
        return (alert.acknowledged_by, alert.acknowledged_at) == (action.author, action.occurred_at)
    if action.kind == "snoozed":
        return alert.snoozed_until == action.until
    if action.kind == "assigned":
        return alert.assignee == action.assignee
    if action.kind == "reviewed":
        return alert.feedback == action.feedback
    return False  # a dismissed or resolved one leaves the picture
