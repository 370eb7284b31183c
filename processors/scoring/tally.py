"""The tally: the scores of a plan's terms as one score, with the contribution of each."""

from __future__ import annotations

from collections.abc import Sequence

from processors.model.plan.combine import Combined, combine
from processors.model.plan.plan import Plan
from schemas.records import Adjustment

__all__ = ["tally"]


def tally(plan: Plan, scores: Sequence[float | None]) -> tuple[int, list[int], list[Adjustment]]:
    """
    Return the score, what each term brings to it, and what else does; in hundredths of a point.

    The parts sum to the score exactly; what rounding leaves over is an adjustment of its own.
    """
    groups = [combine(group.combinator, [scores[place] for place in group.terms]) for group in plan.groups]
    root = combine(plan.root, [*(scores[place] for place in plan.loose), *(group.value for group in groups)])
    whole = plan.hundredths
    total = 0 if root.value is None else round(root.value * whole)
    points = [0] * len(plan.terms)
    for place, factor in zip(plan.loose, root.factors, strict=False):
        points[place] = _brought(scores[place], factor * whole)
    adjustments = _adjustments(root, plan.root.title, "", whole)
    for group, combined, factor in zip(plan.groups, groups, root.factors[len(plan.loose) :], strict=True):
        for place, inner in zip(group.terms, combined.factors, strict=True):
            points[place] = _brought(scores[place], factor * inner * whole)
        adjustments += _adjustments(combined, group.combinator.title, f"{group.name}.", factor * whole)
    rest = total - sum(points) - sum(amount for _, amount, _ in adjustments)
    if rest:
        adjustments.append(("rounding", rest, "Rounding"))
    return (
        total,
        points,
        [Adjustment(name=name, contribution=amount / 100, reason=why) for name, amount, why in adjustments],
    )


def _brought(score: float | None, factor: float) -> int:
    return 0 if score is None else round(factor * score)


def _adjustments(combined: Combined, title: str, prefix: str, whole: float) -> list[tuple[str, int, str]]:
    found = []
    if start := round(combined.start * whole):
        found.append((f"{prefix}start", start, f"{title} starts from {combined.start:g}"))
    if limit := round(combined.limit * whole):
        side = "at most" if limit < 0 else "at least"
        found.append((f"{prefix}limit", limit, f"{title} is {side} {combined.value:g}"))
    return found
