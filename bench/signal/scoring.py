"""Scores of a product model over many observations at once, and the figures by which models are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bellbuoy.backtest.cause_figures import CauseNamed, cause_rows, causes_named
from bellbuoy.backtest.fold import NAMED
from bellbuoy.backtest.metrics import auc, precision_recall
from bench.signal.observe import Observed
from processors.model import Model
from processors.model.file.format import GroupSpec, MeasureSpec, ModelSpec
from processors.model.plan.curves import compile_curve
from processors.scoring.reasons import LEAST_TAKEN, Loss, ordered
from schemas.times import DAY

__all__ = ["Scores", "confusion", "figures", "line", "score"]

Floats = NDArray[np.float64]
_MOST = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Scores:
    """
    The scores of observations (0 to 100), and the points that each measure takes, a column for each of them.

    ``families`` are the groups of the measures ``names``. The caps of the model are not in the scores: what
    the customer said itself is no sign.
    """

    names: tuple[str, ...]
    families: NDArray[np.str_]
    score: Floats
    taken: Floats

    def first(self, rows: NDArray[np.int64]) -> list[tuple[str, ...]]:
        """Return the first three reasons of observations, in the order in which they are published."""
        found = []
        for row in rows:
            losses = [Loss(*loss) for loss in zip(self.taken[row], self.names, self.families, strict=True)]
            worst = ordered((loss for loss in losses if loss.taken >= LEAST_TAKEN), by_family=True)
            found.append(tuple(worst[:NAMED]))
        return found


def score(model: Model, observed: Observed) -> Scores:
    """Return the scores of a product model whose families are products or as bad as their worst sign."""
    spec = ModelSpec.model_validate_json(model.text)
    counted = {name: one for name, one in spec.measures.items() if not one.informs}
    times = np.ones(len(observed.who))
    families: list[tuple[GroupSpec, float, Floats, dict[str, Floats]]] = []
    for name, group in spec.groups.items():
        members = {
            measure: _badness(one, observed.column(one.measure or measure))
            for measure, one in counted.items()
            if one.group == name
        }
        weights = [counted[measure].weight for measure in members]
        bad, parts = _family(group, weights, np.stack(list(members.values())))
        times *= 1 + ((group.multiplies or 1.0) - 1) * bad
        families.append((group, float(group.weight or 0), bad, dict(zip(members, parts, strict=True))))
    logs: dict[str, Floats] = {}
    for group, weight, bad, shares in families:
        multiplied = group.multiplies is None and not group.involuntary
        log = -np.log1p(-np.minimum(weight * bad, _MOST)) * (times if multiplied else 1.0)
        logs |= {measure: log * share for measure, share in shares.items()}
    together = np.stack(list(logs.values()), axis=1)
    total = together.sum(axis=1, keepdims=True)
    left = 100 * np.exp(-total)
    taken = np.divide(together, total, out=np.zeros_like(together), where=total > 0) * (100 - left)
    of_names = np.array([spec.measures[name].group or name for name in logs])
    return Scores(tuple(logs), of_names, left[:, 0], taken)


def _family(group: GroupSpec, weights: list[float], members: Floats) -> tuple[Floats, Floats]:
    """Return the badness of a family, and the share of each member in it."""
    if group.combine == "product":
        logs = -np.log1p(-np.minimum(np.array(weights)[:, None] * members, _MOST))
        whole = logs.sum(axis=0)
        shares = np.divide(logs, whole, out=np.zeros_like(logs), where=whole > 0)
        return np.asarray(1 - np.exp(-whole)), np.asarray(shares)
    worst = members.argmax(axis=0)
    bad = members.max(axis=0)
    return np.asarray(bad), np.asarray((np.arange(len(members))[:, None] == worst) & (bad > 0), float)


def _badness(spec: MeasureSpec, values: Floats) -> Floats:
    if spec.curve is None:
        raise ValueError("a measure that counts has no curve")
    curve = compile_curve(spec.curve)
    distinct, place = np.unique(values, return_inverse=True)
    scored = np.array([100.0 if np.isnan(value) else curve.score(float(value)) for value in distinct])
    return np.asarray(1 - np.clip(scored, 0, 100)[place] / 100, float)


def figures(observed: Observed, score: Floats, edges: Sequence[float]) -> dict[str, float]:
    """Return the figures of a ranking; ``edges`` are those of critical, at risk and watch."""
    labels, times = observed.labels, observed.times
    risk = -score
    trouble, calm = labels.in_trouble(14), labels.calm()
    judged = trouble | calm
    soon, later = labels.churns_within(30), labels.churns_within(90)
    ahead = (times.leaves[observed.who] - observed.at) / DAY
    lasted = (times.leaves - times.onset)[observed.who] / DAY
    reached = []
    for day in np.unique(observed.day):
        of_day = observed.day == day
        edge = np.quantile(risk[of_day], 0.85)
        due = of_day & (ahead >= 27) & (ahead < 34) & (lasted >= 44)
        reached += (risk[due] >= edge).tolist()
    late = (ahead > 30) & (ahead <= 60)
    return {
        "trouble": auc(risk[judged], trouble[judged]),
        "churn 30": auc(risk, soon),
        "churn 90": auc(risk, later),
        "true in 5%": precision_recall(risk, later | trouble, 0.05)[0],
        "reached": float(np.mean(reached)) if reached else float("nan"),
        "healthy late": float((score[late] >= edges[2]).mean()),
        "critical": float((score < edges[0]).mean()),
        "calm at risk": float((score[calm] < edges[1]).mean()),
        "book at risk": float((score < edges[1]).mean()),
    }


def confusion(observed: Observed, scores: Scores) -> dict[str, CauseNamed]:
    """Return of each cause how often it is named, and what is named first instead, as a backtest does."""
    rows, causes = cause_rows(observed.labels, observed.who, observed.fates)
    return causes_named(causes, observed.who[rows], scores.first(rows))


def line(title: str, found: Mapping[str, float]) -> str:
    """Return figures as a line."""
    return f"{title:30}" + "  ".join(f"{name} {value:.3f}" for name, value in found.items())
