"""Samples of a history: what was known of each account once a week, and whether it left afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from bellbuoy.backtest.fold import NO_RULES, History, fold_day
from bellbuoy.backtest.labels import Labels, Times
from bellbuoy.backtest.observations import EVERY_DAYS, FIRST_DAY
from bellbuoy.backtest.reliability import HORIZON_DAYS
from processors.fold.models_in_force import Models
from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from processors.model import Model
from processors.scoring.score import Verdict, weigh
from processors.silent_sources import frozen_for, frozen_values, silences
from processors.view import View
from schemas.identity.keys import account_key
from schemas.times import DAY

__all__ = ["Samples", "joined", "take_samples"]

_NO_OVERRIDES: frozenset[str] = frozenset()

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Samples:
    """
    Weekly observations of customers who have not given notice; one element, or row, each.

    ``who`` is the account's number and ``day`` the day of the history. ``values`` and ``scores`` (0 to 1, 1
    the best) have a column for each term of the model's plan, NaN where it is not known. ``limit`` is the
    lowest cap (0 to 1), ``score`` the score (0 to 1) and ``judged`` whether enough was known for a band.
    ``leaves_in`` and ``known_for`` are days: until the account leaves (infinite: never), and until the
    history ends. ``calm``: no cause of churn is at work.
    """

    who: NDArray[np.int64]
    day: NDArray[np.int64]
    values: Floats
    scores: Floats
    limit: Floats
    score: Floats
    judged: NDArray[np.bool_]
    leaves_in: Floats
    known_for: Floats
    calm: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.who)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Samples:
        """Return the samples of these rows."""
        return Samples(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def until(self, day: int) -> Samples:
        """Return what was known on a day: the samples before it, with what had happened by then."""
        early = self.take(self.day < day)
        return Samples(
            **{field.name: getattr(early, field.name) for field in fields(self) if field.name != "known_for"},
            known_for=np.minimum(early.known_for, (day - early.day).astype(float)),
        )

    @property
    def at_risk(self) -> Floats:
        """The share of the horizon for which each account is known to be a customer, up to its end."""
        return np.minimum(np.minimum(self.leaves_in, self.known_for), HORIZON_DAYS) / HORIZON_DAYS

    @property
    def left(self) -> NDArray[np.bool_]:
        """Whether the account leaves within the horizon, as far as the history goes."""
        return (self.leaves_in <= HORIZON_DAYS) & (self.leaves_in <= self.known_for)

    def followed(self, days: int = HORIZON_DAYS) -> NDArray[np.bool_]:
        """Whether the history covers so many days after the observation: else those who stay would lack."""
        return self.known_for >= days

    @property
    def churners(self) -> int:
        """How many accounts leave within the horizon of one of their observations."""
        return len(np.unique(self.who[self.left]))


def take_samples(
    history: History, model: Model, progress: Callable[[int], None] = lambda _: None
) -> tuple[Samples, int]:
    """
    Fold a history under a model; return its samples, and how many observations a variant applies to.

    Those are left out: a variant has weights of its own. Overrides that people set are not seen.
    """
    times = Times(history.fates)
    names = [term.name for term in model.plan.terms]
    rows: list[tuple[int, int, list[float], list[float], float, float, bool]] = []
    varied = 0
    models = Models(model, fixed=True, rules=NO_RULES, fixed_rules=True)
    partition = FoldedPartition(0, Shared(models=models))
    keys = [account_key(fate.tenant, fate.account_id) for fate in history.fates]
    for of_day in history.days_of_events():
        day, now = of_day.number, of_day.at - 1
        for _ in fold_day(partition, of_day):
            pass
        progress(day + 1)
        if day < FIRST_DAY or (day - FIRST_DAY) % EVERY_DAYS:
            continue
        for place, key in enumerate(keys):
            if now >= times.told[place] or key not in partition.states:
                continue
            verdict = _verdict(partition, key, model, now)
            if verdict is None or verdict.plan.variant:
                varied += verdict is not None
                continue
            rows.append((place, day, *_facts(verdict, names)))
    return _samples(history, times, rows, len(names)), varied


def joined(parts: Sequence[Samples]) -> Samples:
    """Return the samples of several histories as one; each has accounts of its own."""
    columns = {field.name: [getattr(part, field.name) for part in parts] for field in fields(Samples)}
    first = 0
    for place, part in enumerate(parts):
        columns["who"][place] = part.who + first
        first += int(part.who.max(initial=-1)) + 1
    return Samples(**{name: np.concatenate(values) for name, values in columns.items()})


def _verdict(partition: FoldedPartition, key: bytes, model: Model, now: int) -> Verdict | None:
    state = partition.state(key)
    if state.score is None:
        return None
    silent = silences(partition.shared.feeds, state.tenant, now)
    view = View(state, now, partition.shared.lost_days(state.tenant))
    plan = model.for_account(view)
    facts = frozen_values(plan.reads, view, frozen_for(silent, state))
    return weigh(plan, facts, view, untold=_NO_OVERRIDES)


def _facts(verdict: Verdict, names: list[str]) -> tuple[list[float], list[float], float, float, bool]:
    measures = {measure.name: measure for measure in verdict.measures}
    values = [measures[name].value for name in names]
    scores = [measures[name].score for name in names]
    return (
        [np.nan if value is None else value for value in values],
        [np.nan if score is None else score / 100 for score in scores],
        min((cap.limit for cap in verdict.caps), default=100.0) / 100,
        verdict.score / 10_000,
        verdict.judged,
    )


def _samples(
    history: History,
    times: Times,
    rows: list[tuple[int, int, list[float], list[float], float, float, bool]],
    terms: int,
) -> Samples:
    who, day, values, scores, limit, score, judged = zip(*rows, strict=True) if rows else ([],) * 7
    people, days = np.array(who, np.int64), np.array(day, np.int64)
    at = history.start + (days + 1) * DAY - 1
    leaves = times.leaves[people]
    ends = history.start + history.days * DAY
    return Samples(
        who=people,
        day=days,
        values=np.array(values, float).reshape(-1, terms),
        scores=np.array(scores, float).reshape(-1, terms),
        limit=np.array(limit, float),
        score=np.array(score, float),
        judged=np.array(judged, bool),
        leaves_in=np.where(leaves < ends, (leaves - at) / DAY, np.inf),
        known_for=(ends - at) / DAY,
        calm=Labels(times, people, at).calm(),
    )
