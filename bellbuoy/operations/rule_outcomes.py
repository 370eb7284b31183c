"""Counts of what became of each rule's alerts, from the topic of alerts."""

from __future__ import annotations

from dataclasses import dataclass, field

from confluent_kafka import TopicPartition

from bellbuoy.operations.registry import registry
from bellbuoy.settings import Settings
from schemas.codec.record_codec import codec
from schemas.records import RiskAlert
from streams.kafka.log_reader import read_to_end

__all__ = ["RuleOutcome", "outcomes_of", "read_outcomes"]

_RIGHT, _WRONG = ("useful", "known"), ("noise",)


@dataclass(slots=True)
class RuleOutcome:
    """
    The alerts of one rule by what became of them.

    ``useful``, ``known`` and ``noise`` are people's words on alerts, ``churned`` the alerts of accounts that
    left while they were open and of which nobody said anything.
    """

    rule: str
    shadow: bool = False
    opened: int = 0
    still_open: int = 0
    useful: int = 0
    known: int = 0
    noise: int = 0
    churned: int = 0
    resolutions: dict[str, int] = field(default_factory=dict)

    @property
    def precision(self) -> float | None:
        """The share of the alerts whose outcome is known that were right; ``None`` when none is known."""
        right = self.useful + self.known + self.churned
        return right / (right + self.noise) if right + self.noise else None


def outcomes_of(alerts: list[RiskAlert], since: int) -> list[RuleOutcome]:
    """Return what became of the alerts that opened from ``since`` on, by rule; each alert's newest record."""
    newest: dict[str, RiskAlert] = {}
    for alert in alerts:
        known = newest.get(alert.alert_id)
        if known is None or alert.sequence >= known.sequence:
            newest[alert.alert_id] = alert
    found: dict[str, RuleOutcome] = {}
    for alert in newest.values():
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
    return [found[rule] for rule in sorted(found)]


def read_outcomes(settings: Settings, since: int, tenant: str | None = None) -> list[RuleOutcome]:
    """Return what became of a tenant's alerts, or of all, by rule; raise KafkaException."""
    topics = settings.kafka.topics()
    starts = [TopicPartition(topics.name("risk.alerts"), p, 0) for p in range(topics.partitions)]
    decode = codec("risk.alerts", registry(settings)).decode
    alerts = (decode(record.value) for record in read_to_end(settings.kafka.bootstrap, starts))
    return outcomes_of([alert for alert in alerts if tenant in (None, alert.tenant)], since)
