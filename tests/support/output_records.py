"""Records of outputs, for tests of delivery, sinks and channels."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from schemas.records import AccountHealth, AccountKpis, AlertNotification, Cap, Measure, RiskAlert
from sinks.port import Output

AT = 1_750_000_000_000


def health(account_id: str = "acme", sequence: int = 1, score: float = 50.0, **fields: Any) -> AccountHealth:
    """Return an account's health; its journal time follows the sequence unless given."""
    given: dict[str, Any] = {
        "tenant": "demo",
        "account_id": account_id,
        "name": f"{account_id.title()} GmbH",
        "owner": "ann",
        "segment": "smb",
        "stage": "live",
        "arr_minor": 1_200_000,
        "currency": "EUR",
        "score": score,
        "band": "critical"
        if score < 30
        else "at_risk"
        if score < 50
        else "watch"
        if score < 70
        else "healthy",
        "previous_score": None,
        "coverage": 0.8,
        "measures": [
            Measure(
                name="usage.drop",
                value=0.4,
                unit="ratio",
                score=score,
                weight=100.0,
                contribution=score,
                reason="Active users fell by 40 %",
            )
        ],
        "caps": [Cap(name="cancel", limit=20.0, contribution=0.0, until=None, reason="Cancels in März")],
        "reasons": ["Active users fell by 40 %"],
        "open_alerts": [],
        "model": "default",
        "model_version": "1",
        "as_of": AT + sequence,
        "received_at": AT,
        "partition": 0,
        "sequence": sequence,
    }
    return AccountHealth(**(given | fields))


def kpis(account_id: str, values: Mapping[str, float], sequence: int = 1) -> AccountKpis:
    """Return KPIs of these values; their journal time follows the sequence."""
    return AccountKpis(
        tenant="demo",
        account_id=account_id,
        measures=[
            Measure(
                name=name,
                value=value,
                unit="",
                score=None,
                weight=0.0,
                contribution=0.0,
                reason="so",
            )
            for name, value in values.items()
        ],
        model="default",
        model_version="1",
        as_of=AT + sequence,
        partition=0,
        sequence=sequence,
    )


def alert(alert_id: str = "a1", sequence: int = 1, change: str = "opened", **fields: Any) -> RiskAlert:
    """Return a change of an alert; its journal time follows the sequence unless given."""
    given: dict[str, Any] = {
        "alert_id": alert_id,
        "tenant": "demo",
        "account_id": "acme",
        "name": "Acme GmbH",
        "owner": "ann",
        "rule": "band.worse",
        "episode": 1,
        "change": change,
        "severity": "warning",
        "title": "Acme GmbH turned at risk",
        "reasons": ["Active users fell by 40 %"],
        "action": "Call the champion",
        "score": 40.0,
        "band": "at_risk",
        "opened_at": AT,
        "changed_at": AT + sequence,
        "received_at": AT,
        "model": "default",
        "model_version": "1",
        "partition": 0,
        "sequence": sequence,
    }
    return RiskAlert(**(given | fields))


def notification(
    notification_id: str = "n1", *alerts: RiskAlert, recipient: str = "ann", **fields: Any
) -> AlertNotification:
    """Return a notification of these alerts, of one opened alert unless given."""
    told = list(alerts) or [alert()]
    given: dict[str, Any] = {
        "notification_id": notification_id,
        "tenant": "demo",
        "recipient": recipient,
        "kind": "alert" if len(told) == 1 else "digest",
        "severity": told[0].severity,
        "lane": told[0].lane,
        "title": told[0].title if len(told) == 1 else f"{len(told)} alerts of today",
        "alerts": told,
        "created_at": max(each.changed_at for each in told),
        "received_at": AT,
        "partition": 0,
        "sequence": told[0].sequence,
    }
    return AlertNotification(**(given | fields))


def story(seed: int = 1) -> list[Output]:
    """300 changes of 6 accounts and 3 alerts: bands, owners, unknowns, openings and ends; KPIs between."""
    draw = random.Random(seed)
    outputs: list[Output] = []
    for sequence in range(1, 301):
        score = draw.choice([12.5, 41.0, 60.0, 90.25])
        owner = draw.choice(["ann", "ben", None])
        if draw.random() < 0.8:
            name = f"a{draw.randrange(6)}"
            band = {"band": "unknown"} if draw.random() < 0.2 else {}
            outputs.append(health(name, sequence, score, owner=owner, **band))
            if draw.random() < 0.3:
                outputs.append(kpis(name, {"revenue.before": score}, sequence))
        else:
            change = draw.choice(["opened", "updated", "resolved"])
            outputs.append(alert(f"al{draw.randrange(3)}", sequence, change, owner=owner))
    return outputs
