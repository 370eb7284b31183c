"""The open alerts of a tenant, the worst first, from a serving sink."""

from __future__ import annotations

from schemas.records import RiskAlert
from sinks.serving import Reader

__all__ = ["SEVERITIES", "open_alerts"]

SEVERITIES = ("critical", "warning", "notice")
"""The severities of alerts, the worst first."""

_ALL = 1_000_000


def open_alerts(
    reader: Reader, tenant: str, *, owner: str | None = None, severity: str | None = None
) -> list[RiskAlert]:
    """
    Return a tenant's open alerts, the worst first and of one severity the newest first; raise ReadError.

    ``owner`` is part of an owner's name, in whatever case; ``severity`` is the only one to return.
    """
    wanted = (owner or "").casefold()
    alerts = [
        alert
        for alert in reader.open_alerts(tenant, _ALL)
        if wanted in (alert.owner or "").casefold() and severity in (None, alert.severity)
    ]
    return sorted(alerts, key=_rank)


def _rank(alert: RiskAlert) -> int:
    return SEVERITIES.index(alert.severity) if alert.severity in SEVERITIES else len(SEVERITIES)
