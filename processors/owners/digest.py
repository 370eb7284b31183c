"""Digest of the alerts that wait for one recipient: ranked, with what is at stake and why they waited."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from processors.measures.formats import count, money
from processors.owners.notifications import SEVERITY_RANK, notification
from processors.state.position import BatchOrigin
from schemas.money import places
from schemas.records import AlertNotification, RiskAlert

__all__ = ["DigestEntry", "digest", "urgency"]

_REASONS = {
    "budget": "beyond your budget of a day",
    "late": "from before, and arrived late",
    "maintenance": "from the time of a maintenance",
    "minor": "of minor severity",
}


class DigestEntry(NamedTuple):
    """An alert that waits for a digest, and why it does."""

    alert: RiskAlert
    why: str


def digest(
    origin: BatchOrigin, recipient: str, entries: Sequence[DigestEntry], at_most: int, unlisted: int = 0
) -> AlertNotification:
    """
    Return the digest of these entries, ``at_most`` of them listed, and of ``unlisted`` others.

    They are ranked by ARR times severity, without a conversion of currencies; then by the severity, and the
    oldest first.
    """
    ranked = sorted(entries, key=lambda entry: urgency(entry.alert))
    alerts = [entry.alert for entry in ranked]
    reasons = Counter(_REASONS.get(entry.why, "") for entry in ranked)
    return notification(
        origin,
        "digest",
        recipient,
        alerts[:at_most],
        title=f"{count(len(alerts) + unlisted, 'alert')}{_at_stake(alerts)}",
        notes=[f"{number} {reason}" for reason, number in sorted(reasons.items()) if reason],
        more=max(0, len(alerts) - at_most) + unlisted,
    )


def urgency(alert: RiskAlert) -> tuple[float, int, int, str]:
    """Return the key by which a digest ranks alerts, the most urgent first."""
    severity = SEVERITY_RANK.get(alert.severity, 0)
    arr = (alert.arr_minor or 0) / 10 ** places(alert.currency or "")
    return -arr * severity, -severity, alert.opened_at, alert.alert_id


def _at_stake(alerts: Sequence[RiskAlert]) -> str:
    """Return the ARR of the accounts, each once, by currency, in words; '' where none is known."""
    sums: dict[str, int] = defaultdict(int)
    for account in {alert.account_id: alert for alert in alerts}.values():
        if account.arr_minor:
            sums[account.currency or ""] += account.arr_minor
    amounts = " and ".join(money(minor, currency) for currency, minor in sorted(sums.items()))
    return f", {amounts} a year at stake" if amounts else ""
