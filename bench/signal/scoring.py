"""Scores of a product model over many observations at once, and the figures by which models are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bellbuoy.backtest.cause_figures import CAUSE_MEASURES
from bellbuoy.backtest.metrics import auc, precision_recall
from bench.signal.observe import Observed
from processors.model import Model
from processors.model.file.format import GroupSpec, MeasureSpec, ModelSpec
from processors.model.plan.curves import compile_curve
from schemas.times import DAY

__all__ = ["Scores", "confusion", "figures", "line", "score"]

Floats = NDArray[np.float64]
_NAMED = 3
_LEAST_NAMED = 1.0
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

    def first(self) -> NDArray[np.int64]:
        """
        Return the columns of the first three reasons, -1 for less than a point.

        The worst sign of each family comes before the others, as in what is published.
        """
        taken = self.taken
        of_family = np.stack(
            [taken[:, self.families == family].sum(axis=1) for family in self.families], axis=1
        )
        leads = np.zeros(taken.shape, bool)
        for family in set(self.families.tolist()):
            members = np.nonzero(self.families == family)[0]
            leads[np.arange(len(taken)), members[taken[:, members].argmax(axis=1)]] = True
        ranked = np.where(leads & (taken >= _LEAST_NAMED), 1_000 + of_family, taken)
        order = np.argsort(-ranked, axis=1, kind="stable")[:, :_NAMED]
        enough = np.take_along_axis(taken, order, axis=1) >= _LEAST_NAMED
        return np.asarray(np.where(enough, order, -1), np.int64)


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


def confusion(observed: Observed, scores: Scores) -> dict[str, tuple[int, float, Counter[str]]]:
    """
    Return of each cause that has been at work for 30 days how often it is named, and what is named instead.

    The counts are of observations; what is named instead is the first reason of those that miss it.
    """
    causes = np.array([fate.cause or "" for fate in observed.fates])[observed.who]
    working = observed.labels.in_trouble(30)
    first = scores.first()
    found: dict[str, tuple[int, float, Counter[str]]] = {}
    for cause, beginnings in CAUSE_MEASURES.items():
        rows = np.nonzero(working & (causes == cause))[0]
        if not len(rows):
            continue
        fits = np.array([name.startswith(beginnings) for name in scores.names] + [False])
        named = fits[first[rows]].any(axis=1)
        instead = Counter(
            "nothing" if first[row, 0] < 0 else scores.names[first[row, 0]] for row in rows[~named]
        )
        found[cause] = len(rows), float(named.mean()), instead
    return found


def line(title: str, found: Mapping[str, float]) -> str:
    """Return figures as a line."""
    return f"{title:30}" + "  ".join(f"{name} {value:.3f}" for name, value in found.items())
