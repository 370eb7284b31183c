"""Ranges of scores: how low and how high a score can be, by interval arithmetic over a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from processors.model.file.format import CombineSpec, MeasureSpec
from processors.model.plan.curves import Curve

__all__ = ["Range", "combined", "of_measure"]

Range: TypeAlias = tuple[float, float]


def of_measure(spec: MeasureSpec, curve: Curve) -> Range:
    """Return the range of a measure's score while it is known."""
    toward = None if spec.fade is None else spec.fade.toward
    scores = [score for score in (curve.low, curve.high, spec.if_unknown, toward) if score is not None]
    return min(scores), max(scores)


def combined(spec: CombineSpec, members: Sequence[tuple[float, Range]], *, ignore: bool) -> Range:
    """Return the range of a combination of members, each given by its weight and range."""
    if not ignore or spec.combine == "sum":  # an unknown member counts as 0
        members = [(weight, (min(low, 0.0), max(high, 0.0))) for weight, (low, high) in members]
    lows, highs = [low for _, (low, _) in members], [high for _, (_, high) in members]
    if spec.combine == "product":
        low, high = min(lows), max(highs)
    elif spec.combine == "worst":
        low, high = min(lows), min(highs)
    elif spec.combine == "sum":
        low = spec.start + sum(weight * low for weight, (low, _) in members)
        high = spec.start + sum(weight * high for weight, (_, high) in members)
    elif ignore:
        low, high = min(lows), max(highs)
    else:
        total = sum(weight for weight, _ in members) or 1.0
        low = sum(weight * low for weight, (low, _) in members) / total
        high = sum(weight * high for weight, (_, high) in members) / total
    if spec.min is not None:
        low, high = max(low, spec.min), max(high, spec.min)
    if spec.max is not None:
        low, high = min(low, spec.max), min(high, spec.max)
    return low, high
