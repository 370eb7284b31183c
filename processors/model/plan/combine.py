"""
Combinators: how measures' scores make a group's score, and groups' scores the score.

Three of them express every scheme that we know of: the weighted mean (of all members, or of the known ones),
the weighted sum with a start and limits, and the lowest score. Each can round half up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from processors.model.plan.curves import half_up

__all__ = ["Combined", "Rule", "combine"]


@dataclass(frozen=True, slots=True)
class Rule:
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


def combine(rule: Rule, scores: Sequence[float | None]) -> Combined:
    """Return the combined score of the members; a member's score ``None`` is not known."""
    if rule.kind == "mean":
        return _mean(rule, scores)
    if rule.kind == "worst":
        return _worst(rule, scores)
    if rule.ignore and all(score is None for score in scores):
        return Combined(None, (0.0,) * len(scores))
    total = rule.start + sum(w * s for w, s in zip(rule.weights, scores, strict=True) if s is not None)
    return _bounded(rule, total, rule.weights)


def _mean(rule: Rule, scores: Sequence[float | None]) -> Combined:
    total = weight = 0.0
    for w, s in zip(rule.weights, scores, strict=True):
        if s is not None:
            total += w * s
        if s is not None or not rule.ignore:
            weight += w
    if weight == 0:
        return Combined(None, (0.0,) * len(scores))
    return _bounded(rule, total / weight, tuple(w / weight for w in rule.weights))


def _worst(rule: Rule, scores: Sequence[float | None]) -> Combined:
    known = [(0.0 if s is None else s, i) for i, s in enumerate(scores) if s is not None or not rule.ignore]
    if not known:
        return Combined(None, (0.0,) * len(scores))
    worst, at = min(known)
    return _bounded(rule, worst, tuple(float(i == at) for i in range(len(scores))))


def _bounded(rule: Rule, plain: float, factors: tuple[float, ...]) -> Combined:
    value = plain
    if rule.low is not None:
        value = max(value, rule.low)
    if rule.high is not None:
        value = min(value, rule.high)
    limit = value - plain
    if rule.digits is not None:
        value = half_up(value, rule.digits)
    return Combined(value, factors, rule.start, limit)
