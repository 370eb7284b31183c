"""Fold of a world under a model, muted: what would have been published at the end of each day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bellbuoy.simulator.worlds.fates import Fate
from bellbuoy.simulator.worlds.world import WorldDay
from processors.fold.models_in_force import Models
from processors.fold.outcome import Outcome
from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from processors.model import Model
from processors.rules import DEFAULT_RULES, RuleSet, load_rules
from processors.scoring.reasons import LEAST_TAKEN, Loss, ordered
from schemas.inputs import batch_lists
from schemas.records import BAND_ORDER, AccountHealth, FeedReport, JournalBatch, RiskAlert

__all__ = [
    "NAMED",
    "NO_RULES",
    "UNKNOWN",
    "AlertSpan",
    "History",
    "Published",
    "fold_day",
    "fold_days",
    "journal_batch",
]

UNKNOWN = -1
"""Band of an account that is not judged, or not there yet, in ``Published.bands``."""

NO_RULES = load_rules(
    "ruleset: none\nversion: 1\nrules: {never: {title: Never, severity: notice, when: account.tenant == ''}}"
)
"""Alert rules that open nothing, for folds of states alone: rules take most of the time."""

NAMED = 3
"""The reasons among which a cause is looked for."""

_BANDS = {band: index for index, band in enumerate(BAND_ORDER)}
_NO_RISK = ("expansion", "outage")
"""The lanes whose alerts warn of no churn: an opportunity, and a fault of our own."""

_SEVERITIES = ("notice", "warning", "critical")


class History(Protocol):
    """
    Days of events whose end is known: a world, or a team's own files.

    ``start`` is the midnight at which it begins, UTC milliseconds, and ``days`` how many follow. ``planted``
    tells whether the causes of churn are known.
    """

    name: str
    seed: int
    start: int
    days: int
    planted: bool
    fates: tuple[Fate, ...]

    def days_of_events(self) -> Iterator[WorldDay]:
        """Yield each day with its events."""
        ...


@dataclass(slots=True)
class AlertSpan:
    """
    An alert: the account's index, the rule, and the worst severity.

    It opened on the day ``opened`` and ended on the day ``ended`` (``None``: still open).
    """

    account: int
    rule: str
    severity: str
    opened: int
    ended: int | None = None


@dataclass(slots=True)
class Published:
    """
    Record of what was published of each account (second index) at the end of each day (first index).

    ``accounts`` are tenant and id. ``scores`` are of 0 to 100, NaN before the first. ``bands`` are indices
    into ``BAND_ORDER``, ``UNKNOWN`` where the account is not judged. ``probabilities`` are of churn within 90
    days, NaN where the model states none. ``causes`` are the names of the caps and
    measures that take the most away, three at most. ``rules`` opened the alerts.
    """

    accounts: tuple[tuple[str, str], ...]
    scores: NDArray[np.float64]
    bands: NDArray[np.int8]
    causes: list[list[tuple[str, ...]]] = field(default_factory=list)
    alerts: list[AlertSpan] = field(default_factory=list)
    probabilities: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    rules: RuleSet = DEFAULT_RULES


def journal_batch(day: WorldDay, sequence: int | None = None) -> JournalBatch:
    """Return a day of a world as a journal batch, written at the end of that day; its number is the day's."""
    return JournalBatch(
        sequence=day.number if sequence is None else sequence,
        written_at=day.at - 1,
        usage=day.cells,
        **batch_lists(day.events),
    )


def fold_day(partition: FoldedPartition, day: WorldDay) -> Iterator[Outcome]:
    """Fold a day of a world, and then what the partition reported of it, as the journal brings it back."""
    batch = journal_batch(day, partition.position.sequence + 1)
    reports: list[FeedReport] = []
    for outcome in partition.apply([(batch.sequence, batch)]):
        reports += outcome.feed_reports
        yield outcome
    if reports:
        sequence = batch.sequence + 1
        told = JournalBatch(sequence=sequence, written_at=batch.written_at, feed_reports=reports)
        yield from partition.apply([(sequence, told)])


def fold_days(
    world: History, model: Model, rules: RuleSet = DEFAULT_RULES
) -> Iterator[tuple[Published, FoldedPartition]]:
    """
    Fold a world day by day under a model and alert rules.

    Yields after each day what is published so far, and the partition.

    The arrays are as long as the world; days that are still to come are unknown in them.
    """
    accounts = tuple((fate.tenant, fate.account_id) for fate in world.fates)
    index = {account: place for place, account in enumerate(accounts)}
    shape = (world.days, len(index))
    published = Published(accounts, np.full(shape, np.nan), np.full(shape, UNKNOWN, np.int8), rules=rules)
    published.probabilities = np.full(shape, np.nan)
    partition = FoldedPartition(0, Shared(models=Models(model, fixed=True, rules=rules, fixed_rules=True)))
    open_alerts: dict[str, AlertSpan] = {}
    causes: list[tuple[str, ...]] = [()] * len(index)
    for day in world.days_of_events():
        number = day.number
        if number:
            published.scores[number] = published.scores[number - 1]
            published.bands[number] = published.bands[number - 1]
            published.probabilities[number] = published.probabilities[number - 1]
        for outcome in fold_day(partition, day):
            for _, health in outcome.health:
                place = index[health.tenant, health.account_id]
                published.scores[number, place] = health.score
                published.bands[number, place] = _BANDS.get(health.band, UNKNOWN)
                probability = health.churn_probability
                published.probabilities[number, place] = np.nan if probability is None else probability
                causes[place] = _causes(health, takes_away=model.plan.root.kind == "product")
            for _, alert in outcome.alerts:
                _follow(published, open_alerts, index[alert.tenant, alert.account_id], number, alert)
        published.causes.append(list(causes))
        yield published, partition


def _causes(health: AccountHealth, *, takes_away: bool) -> tuple[str, ...]:
    """Return the names of what takes the most points: caps first, as in the published reasons."""
    full = 100 / sum(measure.weight for measure in health.measures) if health.measures else 0
    losses = [
        Loss(
            (0 if takes_away else measure.weight * full) - measure.contribution,
            measure.name,
            measure.group or measure.name,
        )
        for measure in health.measures
    ]
    worst = ordered((loss for loss in losses if loss.taken >= LEAST_TAKEN), by_family=takes_away)
    return tuple([*(cap.name for cap in health.caps), *worst][:NAMED])


def _follow(
    published: Published, open_alerts: dict[str, AlertSpan], place: int, day: int, alert: RiskAlert
) -> None:
    if alert.shadow or alert.lane in _NO_RISK:
        return
    span = open_alerts.get(alert.alert_id)
    if span is None:
        if alert.change == "resolved":
            return
        span = open_alerts[alert.alert_id] = AlertSpan(place, alert.rule, alert.severity, day)
        published.alerts.append(span)
    span.severity = max(span.severity, alert.severity, key=_SEVERITIES.index)
    if alert.change == "resolved":
        span.ended = day
