"""The tally: the scores of a plan's terms as one score, with the contribution of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter

from processors.model.plan.combine import Combined, combine
from processors.model.plan.plan import Plan
from processors.model.plan.product import family, product
from schemas.records import Adjustment, Measure

__all__ = ["involuntary_reasons", "involuntary_score", "tally"]

_START = Adjustment(name="start", contribution=100.0, reason="The score starts from its best")
"""The best score, from which every term of a product takes away."""


def tally(plan: Plan, scores: Sequence[float | None]) -> tuple[int, list[int], list[Adjustment]]:
    """
    Return the score, what each term brings to it, and what else does; in hundredths of a point.

    The parts sum to the score exactly; what rounding leaves over is an adjustment of its own.
    """
    if plan.root.kind == "product":
        return _product_tally(plan, scores)
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


def involuntary_score(plan: Plan, measures: Sequence[Measure]) -> float | None:
    """
    Return what a product's involuntary groups leave of 100 by themselves, by the measures of its terms.

    So the risk that a payment fails stands beside the risk that the customer decides to leave. ``None``: the
    model has no involuntary group.
    """
    if not plan.involuntary:
        return None
    weights, badness = [], []
    for place, weight in plan.involuntary:
        group = plan.groups[place]
        scores = [measures[term].score for term in group.terms]
        if any(score is not None and score < 100 for score in scores):
            bad = [None if score is None else max(0.0, 1.0 - score / 100) for score in scores]
            weights.append(weight)
            badness.append(family(group.combinator, bad)[0])
    return round(product(weights, badness)[0] * 100, 2) if weights else 100.0


def involuntary_reasons(plan: Plan, measures: Sequence[Measure]) -> list[str]:
    """Return why ``involuntary_score`` is below 100: the reasons of its measures, the costliest first."""
    if not plan.involuntary:
        return []
    terms = (measures[term] for place, _ in plan.involuntary for term in plan.groups[place].terms)
    costly = [measure for measure in terms if measure.score is not None and measure.score < 100]
    costly.sort(key=attrgetter("contribution"))
    return list(dict.fromkeys(measure.reason for measure in costly))


def _product_tally(plan: Plan, scores: Sequence[float | None]) -> tuple[int, list[int], list[Adjustment]]:
    """Return the tally of a product: every term takes something away from the whole score."""
    scale, points = plan.scale, [0] * len(scores)
    badness = {
        place: min(1.0, 1.0 - score / scale)
        for place, score in enumerate(scores)
        if score is not None and score < scale
    }
    if not badness:  # nearly always
        return 10_000, points, [_START]
    weights, bad, times, takers = _families(plan, scores, badness)
    left, shares = product(weights, bad, times)
    total = round(left * 10_000)
    for share, members in zip(shares, takers, strict=True):
        for place, part in members:
            points[place] = -round(share * part * (10_000 - total))
    rest = total - 10_000 - sum(points)
    if not rest:
        return total, points, [_START]
    return total, points, [_START, Adjustment(name="rounding", contribution=rest / 100, reason="Rounding")]


def _families(
    plan: Plan, scores: Sequence[float | None], badness: Mapping[int, float]
) -> tuple[list[float], list[float], list[float] | None, list[list[tuple[int, float]]]]:
    """
    Return of every family that takes something its weight, its badness, how often it counts, and who takes.

    ``badness`` has the terms of some badness. A term without a group is a family of its own. Who takes it are
    the terms, each with its share in the family. ``None``: each counts once.
    """
    weights, bad, takers = [], [], []
    multiplied, times = [], 1.0
    for place, weight in zip(plan.loose, plan.root.weights, strict=False):
        if place in badness:
            weights.append(weight)
            bad.append(badness[place])
            multiplied.append(True)
            takers.append([(place, 1.0)])
    for group, weight in zip(plan.groups, plan.root.weights[len(plan.loose) :], strict=True):
        if not badness.keys().isdisjoint(group.terms):
            members = [None if scores[place] is None else badness.get(place, 0.0) for place in group.terms]
            whole, parts = family(group.combinator, members)
            weights.append(weight)
            bad.append(whole)
            times *= 1.0 + (group.multiplies - 1.0) * whole
            multiplied.append(group.multiplies == 1 and not group.involuntary)
            takers.append([(place, part) for place, part in zip(group.terms, parts, strict=True) if part])
    return weights, bad, None if times == 1 else [times if each else 1.0 for each in multiplied], takers


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
