"""Metrics of a ranking by risk: AUC, precision and recall among the riskiest, and their intervals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["auc", "interval", "precision_recall", "worth_found"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def auc(risk: Floats, positive: Flags) -> float:
    """
    Return the area under the ROC curve: how often a positive one is riskier than a negative one, ties half.

    NaN where one of the two kinds is missing (Hanley and McNeil 1982: the Mann-Whitney statistic).
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return float("nan")
    _, inverse, counts = np.unique(risk, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[inverse]
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def precision_recall(risk: Floats, positive: Flags, share: float) -> tuple[float, float]:
    """
    Return precision and recall of the riskiest share; ties at its edge count in proportion.

    NaN where there is nothing to divide by.
    """
    chosen = max(1, round(share * len(risk)))
    order = np.sort(risk)[::-1]
    edge = order[chosen - 1]
    above, at_edge = risk > edge, risk == edge
    part = (chosen - int(above.sum())) / int(at_edge.sum())
    hits = float(positive[above].sum()) + part * float(positive[at_edge].sum())
    positives = int(positive.sum())
    return hits / chosen, hits / positives if positives else float("nan")


def worth_found(risk: Floats, positive: Flags, worth: Floats, share: float) -> float:
    """
    Return which share of the worth of the positive ones is among the riskiest share (by count) of all.

    Ties at its edge count in proportion. NaN where the positive ones are worth nothing.
    """
    chosen = max(1, round(share * len(risk)))
    edge = np.sort(risk)[::-1][chosen - 1]
    above, at_edge = risk > edge, risk == edge
    part = (chosen - int(above.sum())) / int(at_edge.sum())
    hits = float(worth[above & positive].sum()) + part * float(worth[at_edge & positive].sum())
    whole = float(worth[positive].sum())
    return hits / whole if whole else float("nan")


def interval(
    metric: Callable[[NDArray[np.int64]], float], groups: NDArray[np.int64], seed: int = 1, rounds: int = 200
) -> tuple[float, float]:
    """
    Return the 95 % interval of a metric by the bootstrap over groups, such as accounts.

    ``metric`` takes indices of observations; ``groups`` is the group of each observation. All observations of
    a group are drawn together, because those of one account depend on each other.
    """
    order = np.argsort(groups, kind="stable")
    _, starts = np.unique(groups[order], return_index=True)
    members = np.split(order, starts[1:])
    draw = np.random.default_rng(seed)
    values = []
    for _ in range(rounds):
        chosen = draw.integers(len(members), size=len(members))
        value = metric(np.concatenate([members[place] for place in chosen]))
        if value == value:  # noqa: PLR0124 - NaN differs from itself
            values.append(value)
    if not values:
        return float("nan"), float("nan")
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)
