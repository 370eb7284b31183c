"""
Combinators: how measures' scores make a group's score, and groups' scores the score.

Three of them express every published scheme that we know of: the weighted mean (of all members, or of the
known ones), the weighted sum with a start and limits, and the lowest score. Each can round half up. The
fourth, the product, is in ``processors.model.plan.product``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from processors.model.plan.curves import half_up

__all__ = ["Combinator", "Combined", "combine"]


@dataclass(frozen=True, slots=True)
class Combinator:
    """A combinator with the weights of its members; ``title`` is its name for people."""

    title: str
    kind: str
    weights: tuple[float, ...]
    ignore: bool = False
    start: float = 0.0
    low: float | None = None
    high: float | None = None
    digits: int | None = None

    @property
    def linear(self) -> bool:
        """Whether each member brings a fixed share of its score, whatever the others' scores are."""
        plain = self.start == 0 and self.low is None and self.high is None and self.digits is None
        return plain and (self.kind == "sum" or (self.kind == "mean" and not self.ignore))


@dataclass(frozen=True, slots=True)
class Combined:
    """
    A combined score and its parts.

    ``value`` (``None``: not known) is the sum of the members' scores times their ``factors``, plus ``start``,
    plus what the ``limit`` adds or takes, plus what rounding changes.
    """

    value: float | None
    factors: tuple[float, ...]
    start: float = 0.0
    limit: float = 0.0


def combine(combinator: Combinator, scores: Sequence[float | None]) -> Combined:
    """Return the combined score of the members; a member's score ``None`` is not known."""
    if combinator.kind == "mean":
        return _mean(combinator, scores)
    if combinator.kind == "worst":
        return _worst(combinator, scores)
    if combinator.ignore and all(score is None for score in scores):
        return Combined(None, (0.0,) * len(scores))
    total = combinator.start + sum(
        w * s for w, s in zip(combinator.weights, scores, strict=True) if s is not None
    )
    return _bounded(combinator, total, combinator.weights)


def _mean(combinator: Combinator, scores: Sequence[float | None]) -> Combined:
    total = weight = 0.0
    for w, s in zip(combinator.weights, scores, strict=True):
        if s is not None:
            total += w * s
        if s is not None or not combinator.ignore:
            weight += w
    if weight == 0:
        return Combined(None, (0.0,) * len(scores))
    return _bounded(combinator, total / weight, tuple(w / weight for w in combinator.weights))


def _worst(combinator: Combinator, scores: Sequence[float | None]) -> Combined:
    known = [
        (0.0 if s is None else s, i) for i, s in enumerate(scores) if s is not None or not combinator.ignore
    ]
    if not known:
        return Combined(None, (0.0,) * len(scores))
    worst, at = min(known)
    return _bounded(combinator, worst, tuple(float(i == at) for i in range(len(scores))))


def _bounded(combinator: Combinator, plain: float, factors: tuple[float, ...]) -> Combined:
    value = plain
    if combinator.low is not None:
        value = max(value, combinator.low)
    if combinator.high is not None:
        value = min(value, combinator.high)
    limit = value - plain
    if combinator.digits is not None:
        value = half_up(value, combinator.digits)
    return Combined(value, factors, combinator.start, limit)
