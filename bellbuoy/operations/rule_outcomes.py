"""Counts of what became of each rule's alerts, from the topics of alerts and of KPIs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from statistics import median

from confluent_kafka import TopicPartition

from bellbuoy.operations.kafka.registry import registry
from bellbuoy.settings import Settings
from schemas.codec.record_codec import codec
from schemas.identity.keys import account_key
from schemas.records import AccountKpis, RiskAlert
from schemas.times import DAY
from streams.kafka.log_reader import read_to_end

__all__ = [
    "OwnerResponse",
    "RuleOutcome",
    "judged_outcomes",
    "outcomes_of",
    "read_alerts",
    "read_outcomes",
    "responses_of",
]

_RIGHT, _WRONG = ("useful", "known"), ("noise",)

_NO_WARNINGS = ("expansion", "renewal", "outage")
"""Lanes whose alerts warn of no loss, so that a renewal does not say that they were wrong."""

_RENEWAL = "billing.renewal"
_LATER = 14 * DAY
"""A renewal date that moved by less was corrected; an account that renews gets another month at least."""

AccountId = tuple[str, str]
"""Tenant and account id."""


@dataclass(slots=True)
class RuleOutcome:
    """
    The alerts of one rule by what became of them.

    ``acknowledged_after`` has the times from opening to acknowledgement, milliseconds. ``useful``,
    ``known`` and ``noise`` are people's words on alerts, ``churned`` the alerts of accounts that left while
    they were open and of which nobody said anything, and ``renewed`` those of accounts that renewed since.
    """

    rule: str
    shadow: bool = False
    opened: int = 0
    still_open: int = 0
    useful: int = 0
    known: int = 0
    noise: int = 0
    churned: int = 0
    renewed: int = 0
    resolutions: dict[str, int] = field(default_factory=dict)
    acknowledged_after: list[int] = field(default_factory=list)

    @property
    def to_acknowledge(self) -> int | None:
        """The median time until somebody acknowledged an alert, milliseconds; ``None`` when nobody did."""
        return round(median(self.acknowledged_after)) if self.acknowledged_after else None

    @property
    def precision(self) -> float | None:
        """The share of the alerts whose outcome is known that were right; ``None`` when none is known."""
        right = self.useful + self.known + self.churned
        known = right + self.noise + self.renewed
        return right / known if known else None


@dataclass(frozen=True, slots=True)
class OwnerResponse:
    """
    The alerts of one owner ('': nobody): how many opened, and of how many somebody acknowledged.

    ``to_acknowledge`` is the median time until then, milliseconds; ``None`` when nobody did.
    """

    owner: str
    opened: int
    acknowledged: int
    to_acknowledge: int | None


def outcomes_of(
    alerts: list[RiskAlert], since: int, renewals: Mapping[AccountId, int] = {}
) -> list[RuleOutcome]:
    """
    Return what became of the alerts that opened from ``since`` on, by rule; each alert's newest record.

    ``renewals`` is when accounts renew next, as known now (UTC milliseconds).
    """
    found: dict[str, RuleOutcome] = {}
    for alert in _newest(alerts, since):
        outcome = found.setdefault(alert.rule, RuleOutcome(alert.rule))
        outcome.shadow = outcome.shadow or alert.shadow
        outcome.opened += 1
        if alert.change != "resolved":
            outcome.still_open += 1
        elif alert.resolution is not None:
            outcome.resolutions[alert.resolution] = outcome.resolutions.get(alert.resolution, 0) + 1
        if alert.acknowledged_at is not None:
            outcome.acknowledged_after.append(max(0, alert.acknowledged_at - alert.opened_at))
        if alert.feedback in (*_RIGHT, *_WRONG):
            setattr(outcome, alert.feedback, getattr(outcome, alert.feedback) + 1)
        elif alert.resolution == "churned":
            outcome.churned += 1
        elif _renewed(alert, renewals):
            outcome.renewed += 1
    return [found[rule] for rule in sorted(found)]


def responses_of(alerts: list[RiskAlert], since: int) -> list[OwnerResponse]:
    """Return how soon each owner's alerts since a time were acknowledged, the slowest owner first."""
    owned: dict[str, list[RiskAlert]] = {}
    for alert in _newest(alerts, since):
        if not alert.shadow:
            owned.setdefault(alert.assignee or alert.owner or "", []).append(alert)
    found = []
    for owner, own in owned.items():
        times = [
            max(0, one.acknowledged_at - one.opened_at) for one in own if one.acknowledged_at is not None
        ]
        found.append(OwnerResponse(owner, len(own), len(times), round(median(times)) if times else None))
    return sorted(found, key=lambda one: (-(one.to_acknowledge or 0), one.owner))


def _newest(alerts: list[RiskAlert], since: int) -> list[RiskAlert]:
    """Return the newest record of each alert that opened from ``since`` on."""
    newest: dict[str, RiskAlert] = {}
    for alert in alerts:
        known = newest.get(alert.alert_id)
        if known is None or alert.sequence >= known.sequence:
            newest[alert.alert_id] = alert
    return [alert for alert in newest.values() if alert.opened_at >= since]


def read_outcomes(settings: Settings, since: int, tenant: str | None = None) -> list[RuleOutcome]:
    """Return what became of a tenant's alerts, or of all, by rule; raise KafkaException."""
    return judged_outcomes(settings, read_alerts(settings, tenant), since)


def judged_outcomes(settings: Settings, alerts: list[RiskAlert], since: int) -> list[RuleOutcome]:
    """Return what ``outcomes_of`` does, with the renewals that the KPIs know; raise KafkaException."""
    asked = {
        account_key(alert.tenant, alert.account_id)
        for alert in _newest(alerts, since)
        if alert.renewal_at is not None and alert.feedback is None
    }
    return outcomes_of(alerts, since, _renewals(settings, asked) if asked else {})


def read_alerts(settings: Settings, tenant: str | None = None) -> list[RiskAlert]:
    """Return every record of a tenant's alerts, or of all, that the topic has; raise KafkaException."""
    topics = settings.kafka.topics()
    starts = [TopicPartition(topics.name("risk.alerts"), p, 0) for p in range(topics.partitions)]
    decode = codec("risk.alerts", registry(settings)).decode
    decoded = (decode(record.value) for record in read_to_end(settings.kafka.connection(), starts))
    return [alert for alert in decoded if tenant in (None, alert.tenant)]


def _renewed(alert: RiskAlert, renewals: Mapping[AccountId, int]) -> bool:
    """Tell whether the account renewed since, of an alert that warned of a loss."""
    if alert.lane in _NO_WARNINGS or alert.renewal_at is None:
        return False
    now = renewals.get((alert.tenant, alert.account_id))
    return now is not None and now > alert.renewal_at + _LATER


def _renewals(settings: Settings, keys: Collection[bytes]) -> dict[AccountId, int]:
    """Return when these accounts renew next, from their newest KPIs."""
    topics = settings.kafka.topics()
    starts = [TopicPartition(topics.name("account.kpis"), p, 0) for p in range(topics.partitions)]
    newest = {
        record.key: record.value
        for record in read_to_end(settings.kafka.connection(), starts)
        if record.key in keys and record.value is not None
    }
    decode = codec("account.kpis", registry(settings)).decode
    renewals: dict[AccountId, int] = {}
    for value in newest.values():
        kpis: AccountKpis = decode(value)
        days = next((each.value for each in kpis.measures if each.name == _RENEWAL), None)
        if days is not None:
            renewals[kpis.tenant, kpis.account_id] = kpis.as_of + int(days * DAY)
    return renewals
