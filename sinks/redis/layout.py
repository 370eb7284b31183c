"""
Layout of the serving data in Redis: key names, and records in the form that the script takes.

docs/redis.md describes the layout for readers. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from schemas.records import AccountHealth, AccountKpis, RiskAlert
from sinks.serving import from_kpis

__all__ = [
    "HEALTH_FIELDS",
    "KPIS_FIELDS",
    "Keys",
    "encode_alert",
    "encode_health",
    "encode_kpis",
    "key_pattern",
]

HEALTH_FIELDS = (
    "score",
    "band",
    "previous_score",
    "coverage",
    "name",
    "owner",
    "segment",
    "stage",
    "arr_minor",
    "currency",
    "reasons",
    "as_of",
    "received_at",
    "partition",
    "version",
    "parent_id",
    "merged_into",
    "silent_sources",
    "churn_probability",
    "tasks",
    "involuntary_score",
    "involuntary_reasons",
    "health",
)
"""
Health fields of an account's hash, in the order of ``encode_health``; a null value has no field.

The script is given these names with every call, so they are listed here alone.
"""

KPIS_FIELDS = (
    "kpis_as_of",
    "kpis_version",
    "mrr_before",
    "gross_retention",
    "net_retention",
    "renewal_at",
    "kpis",
)
"""KPI fields of the same hash, in the order of ``encode_kpis``."""

_JSON = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Keys:
    """Names of the keys, all under one prefix."""

    prefix: str

    @property
    def updates(self) -> str:
        """Stream of every accepted change, oldest first."""
        return f"{self.prefix}:updates"

    @property
    def positions(self) -> str:
        """Hash of the offset to write next of each partition of the outputs."""
        return f"{self.prefix}:positions"

    @property
    def clearing(self) -> str:
        """Mark that everything is being removed; it expires should the remover die."""
        return f"{self.prefix}:clearing"

    def account(self, tenant: str, account_id: str) -> str:
        """Hash of one account's newest health."""
        return f"{self.prefix}:account:{tenant}:{account_id}"

    def history(self, tenant: str, account_id: str) -> str:
        """Stream of one account's changes of score and band; ids are ``as_of-sequence``."""
        return f"{self.prefix}:history:{tenant}:{account_id}"

    def risk(self, tenant: str) -> str:
        """Sorted set of a tenant's accounts by score, the riskiest first; without those of unknown band."""
        return f"{self.prefix}:risk:{tenant}"

    def unknown(self, tenant: str) -> str:
        """Set of a tenant's accounts of unknown band, which are not ranked; without those merged away."""
        return f"{self.prefix}:unknown:{tenant}"

    def owner(self, tenant: str, owner: str) -> str:
        """Sorted set like ``risk``, of one owner's accounts."""
        return f"{self.prefix}:owner:{tenant}:{owner}"

    def alert(self, alert_id: str) -> str:
        """Hash of one alert; expires some time after the alert was resolved."""
        return f"{self.prefix}:alert:{alert_id}"

    def alerts(self, tenant: str) -> str:
        """Sorted set of a tenant's open alerts by the time they opened."""
        return f"{self.prefix}:alerts:{tenant}"


def key_pattern(text: str) -> str:
    """Return a key, or its beginning, as a pattern of Redis that matches itself alone."""
    return "".join(f"\\{each}" if each in "\\*?[]^-" else each for each in text)


def encode_health(record: AccountHealth) -> tuple[str, ...]:
    """
    Return a health record for the script: kind, tenant, account, then HEALTH_FIELDS; null is empty.

    A deletion is of another kind, and has the time and the version alone.
    """
    if record.deleted:
        return "deleted", record.tenant, record.account_id, str(record.as_of), str(record.sequence)
    return (
        "health",
        record.tenant,
        record.account_id,
        repr(record.score),
        record.band,
        _or_empty(record.previous_score),
        repr(record.coverage),
        _or_empty(record.name),
        _or_empty(record.owner),
        _or_empty(record.segment),
        _or_empty(record.stage),
        _or_empty(record.arr_minor),
        _or_empty(record.currency),
        _JSON.encode(record.reasons).decode(),
        str(record.as_of),
        _or_empty(record.received_at),
        str(record.partition),
        str(record.sequence),
        _or_empty(record.parent_id),
        _or_empty(record.merged_into),
        _JSON.encode(record.silent_sources).decode() if record.silent_sources else "",
        _or_empty(record.churn_probability),
        _JSON.encode(record.tasks).decode() if record.tasks else "",
        _or_empty(record.involuntary_score),
        _JSON.encode(record.involuntary_reasons).decode() if record.involuntary_reasons else "",
        _JSON.encode(record).decode(),
    )


def encode_kpis(record: AccountKpis) -> tuple[str, ...]:
    """Return an account's KPIs for the script as ``encode_health`` does, with KPIS_FIELDS."""
    if record.deleted:
        return "deleted_kpis", record.tenant, record.account_id, str(record.as_of), str(record.sequence)
    return (
        "kpis",
        record.tenant,
        record.account_id,
        str(record.as_of),
        str(record.sequence),
        *map(_or_empty, from_kpis(record)),
        _JSON.encode(record).decode(),
    )


def encode_alert(record: RiskAlert) -> tuple[str, ...]:
    """Return an alert for the script: kind, tenant, account, then the values its ``write_alert`` names."""
    return (
        "alert",
        record.tenant,
        record.account_id,
        repr(record.score),
        record.band,
        record.alert_id,
        record.rule,
        record.change,
        record.severity,
        record.title,
        _or_empty(record.owner),
        record.action,
        _or_empty(record.acknowledged_by),
        _or_empty(record.acknowledged_at),
        _or_empty(record.dismissed_by),
        _or_empty(record.note),
        str(record.opened_at),
        str(record.changed_at),
        _or_empty(record.received_at),
        str(record.partition),
        str(record.sequence),
        _JSON.encode(record).decode(),
    )


def _or_empty(value: str | float | None) -> str:
    return "" if value is None else str(value)
