"""Sample notifications of every kind, to try a channel with."""

from __future__ import annotations

from schemas.records import AlertNotification, RiskAlert
from schemas.times import DAY, HOUR

__all__ = ["KINDS", "sample"]

KINDS = ("alert", "digest", "page", "escalation")
"""The kinds of notifications that there are samples of."""

_TITLES = {
    "alert": "This is a sample: Amber Harbour Foods uses the product much less",
    "digest": "This is a sample: 3 alerts of today, by ARR at risk",
    "page": "This is a sample: many accounts dropped within 5 minutes, an incident of ours?",
    "escalation": "This is a sample: nobody has acknowledged an alert of Amber Harbour Foods",
}
_NAMES = ("Amber Harbour Foods", "Birch & Sons", "Copper Lane")


def sample(kind: str, tenant: str, recipient: str, notification_id: str, now: int) -> AlertNotification:
    """Return a sample of a kind, about accounts that don't exist; ``now`` is UTC milliseconds."""
    alerts = [_alert(tenant, recipient, number, now) for number in range(3 if kind == "digest" else 1)]
    return AlertNotification(
        notification_id=notification_id,
        tenant=tenant,
        recipient=recipient,
        kind=kind,
        severity="critical" if kind == "page" else "warning",
        lane="outage" if kind == "page" else "churn_risk",
        title=_TITLES[kind],
        alerts=[] if kind == "page" else alerts,
        notes=["Nothing has happened: `bellbuoy notify test` sent this."],
        created_at=now,
        partition=0,
        sequence=0,
    )


def _alert(tenant: str, owner: str, number: int, now: int) -> RiskAlert:
    name = _NAMES[number]
    return RiskAlert(
        alert_id=f"sample-{number}",
        tenant=tenant,
        account_id=f"sample-{number}",
        name=name,
        owner=owner,
        arr_minor=4_800_000 - 900_000 * number,
        currency="EUR",
        rule="sample",
        episode=1,
        change="opened",
        severity="warning",
        title=f"{name} uses the product much less",
        reasons=[
            "Active users fell by 58 % against their own four weeks before",
            "The champion has not been seen for 16 days",
        ],
        action="Call the champion this week",
        score=38.0,
        band="at_risk",
        opened_at=now - HOUR,
        changed_at=now,
        received_at=None,
        model="sample",
        model_version="1",
        partition=0,
        sequence=0,
        renewal_at=now + 47 * DAY,
        score_before=71.0,
        since=now - 9 * DAY,
    )
