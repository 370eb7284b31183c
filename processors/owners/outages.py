"""Outages of a source: an input that fell silent for all accounts of a tenant, as an alert of its own."""

from __future__ import annotations

import xxhash
from msgspec.structs import replace

from processors.measures.formats import count
from processors.silent_sources import Outage
from processors.state.position import BatchOrigin
from schemas.identity.owners import OWNERS
from schemas.records import RiskAlert
from schemas.times import HOUR

__all__ = ["SILENT_RULE", "begun", "outage_alert"]

SILENT_RULE = "silent_source"
"""The rule in the alert of an outage."""


def outage_alert(outage: Outage, origin: BatchOrigin) -> RiskAlert:
    """Return what one partition says of an outage: that it began there, or is over."""
    now, over = origin.written_at, outage.since < 0
    if over:
        title = f"{outage.topic} comes again"
    elif outage.short:
        title = f"{outage.topic} come in part: {outage.short} of {outage.expected} accounts are short"
    else:
        title = f"Nothing came on {outage.topic} for {count((now - outage.since) // HOUR, 'hour')}"
    reason = (
        "They fell below a quarter of their usual all at once; no customer is alerted by such days"
        if outage.short
        else "That is longer than it ever was; its measures are frozen, and no customer is alerted by them"
    )
    return RiskAlert(
        alert_id=f"{outage.topic}:{origin.partition}",
        tenant=outage.tenant,
        account_id=OWNERS,
        name="All accounts",
        rule=SILENT_RULE,
        episode=1,
        change="resolved" if over else "opened",
        severity="critical",
        title=title,
        reasons=[reason],
        action="Check the source that sends it, and its credentials",
        score=0.0,
        band="unknown",
        opened_at=now,
        changed_at=now,
        received_at=None,
        model="",
        model_version="",
        partition=origin.partition,
        sequence=origin.sequence,
        lane="outage",
        subject=outage.topic,
        since=None if over else outage.since,
        resolution="recovered" if over else None,
    )


def begun(alert: RiskAlert) -> RiskAlert:
    """Return the alert of an outage of the tenant, which the first partition that says so begins."""
    named = "\0".join((alert.tenant, OWNERS, SILENT_RULE, alert.subject, str(alert.opened_at)))
    return replace(alert, alert_id=xxhash.xxh3_128_hexdigest(named.encode()))
