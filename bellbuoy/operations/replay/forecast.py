"""
Forecast of alert rules: the journal folded again with them, and what they would have opened, and for whom.

An alert was *right* if its account left within ``RIGHT_DAYS`` of its opening; it is *open to judge* where
less time than that has passed and the account is still there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from bellbuoy import logs
from bellbuoy.operations.replay.partition import ReplayJob, journal_batches
from bellbuoy.operations.replay.processes import started
from bellbuoy.settings import Settings
from processors.fold.models_in_force import Models
from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from processors.model import DEFAULT
from processors.rules import RuleSet, loaded_rules
from processors.state.position import Position
from schemas.records import JournalBatch, RiskAlert
from schemas.times import DAY

__all__ = ["RIGHT_DAYS", "Forecast", "ForecastAlert", "fold_forecast", "forecast_rules"]

RIGHT_DAYS = 90
"""Days within which an account must leave, so that an alert on it was right."""

_BATCHES_PER_FOLD = 16
_END = Position(offset=2**62)


@dataclass(frozen=True, slots=True)
class ForecastAlert:
    """An alert that the rules would have opened; ``severity`` is the worst that it came to."""

    tenant: str
    account_id: str
    owner: str | None
    rule: str
    severity: str
    opened_at: int


@dataclass(slots=True)
class Forecast:
    """
    Result of a forecast: the alerts that rules would have opened from ``since`` up to ``ends``, journal time.

    ``left`` is when accounts left, ``accounts`` counts those that were judged.
    """

    since: int
    begins: int = 0
    ends: int = 0
    accounts: int = 0
    alerts: list[ForecastAlert] = field(default_factory=list)
    left: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def weeks(self) -> float:
        """The weeks that the forecast covers; at least one day."""
        return max(self.ends - max(self.since, self.begins), DAY) / (7 * DAY)

    def right(self, alert: ForecastAlert) -> bool | None:
        """Tell whether an alert was right; ``None`` where it can't be known yet."""
        left = self.left.get((alert.tenant, alert.account_id))
        if left is not None and alert.opened_at <= left <= alert.opened_at + RIGHT_DAYS * DAY:
            return True
        return None if self.ends < alert.opened_at + RIGHT_DAYS * DAY else False

    def by_rule(self) -> list[dict[str, Any]]:
        """Return of each rule its alerts, accounts, alerts a week, and how many were right and wrong."""
        rows = []
        for rule in sorted({alert.rule for alert in self.alerts}):
            alerts = [alert for alert in self.alerts if alert.rule == rule]
            judged = Counter(self.right(alert) for alert in alerts)
            rows.append(
                {
                    "rule": rule,
                    "alerts": len(alerts),
                    "accounts": len({(alert.tenant, alert.account_id) for alert in alerts}),
                    "a_week": round(len(alerts) / self.weeks, 2),
                    "right": judged[True],
                    "wrong": judged[False],
                    "open_to_judge": judged[None],
                }
            )
        return rows

    def by_owner(self) -> list[dict[str, Any]]:
        """Return of each owner the alerts, the alerts a week, and those of the busiest week."""
        rows = []
        for owner in sorted({alert.owner or "" for alert in self.alerts}):
            alerts = [alert for alert in self.alerts if (alert.owner or "") == owner]
            weeks = Counter(alert.opened_at // (7 * DAY) for alert in alerts)
            rows.append(
                {
                    "owner": owner,
                    "alerts": len(alerts),
                    "a_week": round(len(alerts) / self.weeks, 2),
                    "busiest_week": max(weeks.values()),
                }
            )
        return sorted(rows, key=lambda row: (-row["alerts"], row["owner"]))


def fold_forecast(batches: Iterable[tuple[int, JournalBatch]], rules: RuleSet, since: int) -> Forecast:
    """Fold a partition's batches, each with its offset, with these rules instead of the journal's own."""
    forecast, accounts, found = Forecast(since), set(), dict[str, ForecastAlert]()
    folded: FoldedPartition | None = None
    models = Models(DEFAULT, rules=rules, fixed_rules=True)
    for chunk in _chunks(batches):
        if folded is None:
            first = chunk[0][1]
            forecast.begins = first.written_at
            folded = FoldedPartition(0, Shared(models), position=Position(sequence=first.sequence - 1))
        forecast.ends = chunk[-1][1].written_at
        for outcome in folded.apply(chunk):
            for _, health in outcome.health:
                account = health.tenant, health.account_id
                accounts.add(account)
                if health.stage == "churned":
                    forecast.left.setdefault(account, health.as_of)
            for _, alert in outcome.alerts:
                _follow(found, alert, since)
    forecast.accounts, forecast.alerts = len(accounts), list(found.values())
    return forecast


def _chunks(batches: Iterable[tuple[int, JournalBatch]]) -> Iterator[list[tuple[int, JournalBatch]]]:
    rest = iter(batches)
    while chunk := list(islice(rest, _BATCHES_PER_FOLD)):
        yield chunk


def _follow(found: dict[str, ForecastAlert], alert: RiskAlert, since: int) -> None:
    """Note an alert that opens, and the severity that it comes to."""
    if alert.change == "resolved" or alert.opened_at < since:
        return
    found[alert.alert_id] = ForecastAlert(
        alert.tenant, alert.account_id, alert.owner, alert.rule, alert.severity, alert.opened_at
    )


def forecast_rules(settings: Settings, rules: RuleSet, *, since: int, tenant: str | None) -> Forecast:
    """Fold every partition of the journal again with these rules; raise KafkaException."""
    job = partial(ReplayJob, settings, model=DEFAULT.text, since=since, tenant=tenant)
    jobs = [job(partition=partition) for partition in range(settings.kafka.partitions)]
    with started(partial(_forecast_partition, rules.text), jobs, _begin_process) as results:
        parts = [result.result() for result in results]
    whole = Forecast(since)
    for part in parts:
        whole.accounts += part.accounts
        whole.alerts += part.alerts
        whole.left |= part.left
        whole.ends = max(whole.ends, part.ends)
        begins = [each for each in (whole.begins, part.begins) if each]
        whole.begins = min(begins, default=0)
    whole.alerts.sort(key=lambda alert: (alert.opened_at, alert.tenant, alert.account_id, alert.rule))
    return whole


def _begin_process() -> None:
    logs.configure("warning", "command")  # standard output belongs to the answer, here as well


def _forecast_partition(text: str, job: ReplayJob) -> Forecast:
    return fold_forecast(journal_batches(job, _END), loaded_rules(text), job.since)
