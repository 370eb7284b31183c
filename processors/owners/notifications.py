"""Records of the owners' stage: a change of an alert on its way to the owners, and what a person is told."""

from __future__ import annotations

from collections.abc import Sequence

import xxhash

from processors.state.position import BatchOrigin
from schemas.identity.owners import OWNERS
from schemas.records import OWN_SOURCE, AlertNotification, OwnerAlert, RiskAlert

__all__ = ["SEVERITY_RANK", "notification", "owner_alert"]

SEVERITY_RANK = {"notice": 1, "warning": 2, "critical": 3}
"""How bad a severity is; one that is not here is no severity."""


def owner_alert(alert: RiskAlert) -> OwnerAlert:
    """Return a change of an alert as the record that takes it to the owners of its tenant."""
    return OwnerAlert(
        event_id=f"{alert.alert_id}:{alert.sequence}:{alert.change}",
        tenant=alert.tenant,
        account_id=OWNERS,
        source=OWN_SOURCE,
        occurred_at=alert.changed_at,
        received_at=alert.changed_at if alert.received_at is None else alert.received_at,
        alert=alert,
    )


def notification(
    origin: BatchOrigin,
    kind: str,
    recipient: str,
    alerts: Sequence[RiskAlert],
    *,
    title: str = "",
    notes: Sequence[str] = (),
    more: int = 0,
    received_at: int | None = None,
    attention: bool = True,
) -> AlertNotification:
    """
    Return the message of these alerts, the most urgent first, to one recipient.

    Its id is a hash of the batch, the recipient, the kind and the alerts, so that a repetition has the same.
    Without a ``title`` it has that of its first alert. ``attention``: the recipient must notice it.
    """
    tenant, lanes = alerts[0].tenant, {alert.lane for alert in alerts}
    named = (
        tenant,
        recipient,
        kind,
        str(origin.partition),
        str(origin.sequence),
        *(f"{alert.alert_id}:{alert.change}" for alert in alerts),
    )
    return AlertNotification(
        notification_id=xxhash.xxh3_128_hexdigest("\0".join(named).encode()),
        tenant=tenant,
        recipient=recipient,
        kind=kind,
        severity=max((alert.severity for alert in alerts), key=lambda one: SEVERITY_RANK.get(one, 0)),
        lane=lanes.pop() if len(lanes) == 1 else "",
        title=title or alerts[0].title,
        alerts=list(alerts),
        more=more,
        notes=list(notes),
        created_at=origin.written_at,
        received_at=received_at,
        partition=origin.partition,
        sequence=origin.sequence,
        attention=attention,
    )
