"""Counts of what became of each rule's alerts, from the topics of alerts and of KPIs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from confluent_kafka import TopicPartition

from bellbuoy.operations.registry import registry
from bellbuoy.settings import Settings
from schemas.codec.record_codec import codec
from schemas.identity.keys import account_key
from schemas.records import AccountKpis, RiskAlert
from schemas.times import DAY
from streams.kafka.log_reader import read_to_end

__all__ = ["RuleOutcome", "outcomes_of", "read_outcomes"]

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

    ``useful``, ``known`` and ``noise`` are people's words on alerts, ``churned`` the alerts of accounts that
    left while they were open and of which nobody said anything, and ``renewed`` those of accounts that
    renewed since.
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

    @property
    def precision(self) -> float | None:
        """The share of the alerts whose outcome is known that were right; ``None`` when none is known."""
        right = self.useful + self.known + self.churned
        known = right + self.noise + self.renewed
        return right / known if known else None


def outcomes_of(
    alerts: list[RiskAlert], since: int, renewals: Mapping[AccountId, int] = {}
) -> list[RuleOutcome]:
    """
    Return what became of the alerts that opened from ``since`` on, by rule; each alert's newest record.

    ``renewals`` is when accounts renew next, as known now (UTC milliseconds).
    """
    found: dict[str, RuleOutcome] = {}
    for alert in _newest(alerts):
        if alert.opened_at < since:
            continue
        outcome = found.setdefault(alert.rule, RuleOutcome(alert.rule))
        outcome.shadow = outcome.shadow or alert.shadow
        outcome.opened += 1
        if alert.change != "resolved":
            outcome.still_open += 1
        elif alert.resolution is not None:
            outcome.resolutions[alert.resolution] = outcome.resolutions.get(alert.resolution, 0) + 1
        if alert.feedback in (*_RIGHT, *_WRONG):
            setattr(outcome, alert.feedback, getattr(outcome, alert.feedback) + 1)
        elif alert.resolution == "churned":
            outcome.churned += 1
        elif _renewed(alert, renewals):
            outcome.renewed += 1
    return [found[rule] for rule in sorted(found)]


def read_outcomes(settings: Settings, since: int, tenant: str | None = None) -> list[RuleOutcome]:
    """Return what became of a tenant's alerts, or of all, by rule; raise KafkaException."""
    topics = settings.kafka.topics()
    starts = [TopicPartition(topics.name("risk.alerts"), p, 0) for p in range(topics.partitions)]
    decode = codec("risk.alerts", registry(settings)).decode
    decoded = (decode(record.value) for record in read_to_end(settings.kafka.bootstrap, starts))
    alerts = [alert for alert in decoded if tenant in (None, alert.tenant)]
    asked = {
        account_key(alert.tenant, alert.account_id)
        for alert in _newest(alerts)
        if alert.opened_at >= since and alert.renewal_at is not None and alert.feedback is None
    }
    return outcomes_of(alerts, since, _renewals(settings, asked) if asked else {})


def _newest(alerts: list[RiskAlert]) -> Iterable[RiskAlert]:
    newest: dict[str, RiskAlert] = {}
    for alert in alerts:
        known = newest.get(alert.alert_id)
        if known is None or alert.sequence >= known.sequence:
            newest[alert.alert_id] = alert
    return newest.values()


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
        for record in read_to_end(settings.kafka.bootstrap, starts)
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
