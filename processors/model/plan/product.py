"""
Product of what members leave of a score: one grave member is enough, and mild ones add up.

A member of weight *w* and badness *b*, both from 0 to 1, leaves ``1 - w * b`` of the score. The logarithms of
these factors add up, so each member's share of what is taken away is exact (the noisy-or of Pearl,
*Probabilistic Reasoning in Intelligent Systems*, 1988, section 4.3.2, read as points). Read as a hazard, a
logarithm is the risk that a member adds, and a near renewal multiplies the risk of those who may not renew
(proportional hazards, Cox 1972).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, log1p

from processors.model.plan.combine import Combinator

__all__ = ["family", "product"]


def product(
    weights: Sequence[float], badness: Sequence[float], times: Sequence[float] | None = None
) -> tuple[float, list[float]]:
    """
    Return what the members leave of a score of 1, and the share of each in what they take away.

    Each member counts so many ``times``, once by default: its logarithm is multiplied. The shares sum to 1,
    or are all 0 where nothing is taken. Members that leave nothing share it equally.
    """
    total = 0.0
    logs = [0.0] * len(weights)
    for place, bad in enumerate(badness):
        if bad > 0:
            taken = min(1.0, weights[place] * bad)
            log = -log1p(-taken) if taken < 1 else inf
            logs[place] = log if times is None else log * times[place]
            total += logs[place]
    if total == inf:
        grave = [part == inf for part in logs]
        return 0.0, [float(each) / sum(grave) for each in grave]
    return exp(-total), [part / total for part in logs] if total else logs


def family(combinator: Combinator, badness: Sequence[float | None]) -> tuple[float, list[float]]:
    """
    Return the badness of a group, 0 to 1, and the share of each member in it.

    The group is as bad as its worst member (``worst``), as the weighted mean of the known ones (``mean``), or
    as its members together (``product``). A member that is not known (``None``) adds nothing.
    """
    known = [0.0 if bad is None else bad for bad in badness]
    if combinator.kind == "product":
        left, shares = product(combinator.weights, known)
        return 1.0 - left, shares
    if combinator.kind == "worst":
        worst = max(known, default=0.0)
        at = known.index(worst) if worst else -1
        return worst, [float(place == at) for place in range(len(known))]
    weight = sum(w for w, bad in zip(combinator.weights, badness, strict=True) if bad is not None)
    parts = [w * bad for w, bad in zip(combinator.weights, known, strict=True)]
    total = sum(parts)
    return (total / weight if weight else 0.0), [part / total for part in parts] if total else parts
