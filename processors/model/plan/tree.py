"""Tree of a model: the measures, in groups, in a score, and what each of them weighs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from processors.model.file.format import BodySpec, CombineSpec
from processors.model.plan.combine import Combinator
from processors.model.plan.curves import Curve
from processors.model.plan.plan import PlanGroup
from processors.model.plan.ranges import Range, combined, of_measure

__all__ = ["Tree", "build_tree"]

_Member: TypeAlias = tuple[Fraction, Range]
"""A member's weight and the range of its score."""


@dataclass(frozen=True, slots=True)
class Tree:
    """
    The weights of a specification without faults; measures are indexed among those that are counted.

    ``factors`` are how many points of the score a point of each measure brings while no limit, rounding or
    other member interferes. ``shares`` are the measures' shares of the score, which sum to 1 and by which
    coverage is counted. ``range`` is how low and how high the score can be. ``weightless`` names the groups
    ('' is the score) that are means over weights of zero.
    """

    root: Combinator
    loose: tuple[int, ...]
    groups: tuple[PlanGroup, ...]
    factors: tuple[Fraction, ...]
    shares: tuple[Fraction, ...]
    range: Range
    weightless: tuple[str, ...]

    @property
    def linear(self) -> bool:
        """Whether every measure brings its factor, whatever the others' scores are."""
        return self.root.linear and all(group.combinator.linear for group in self.groups)


def build_tree(body: BodySpec, curves: Mapping[str, Curve]) -> Tree:
    """Return the tree of a specification whose measures have these curves."""
    specs = [(name, spec) for name, spec in body.measures.items() if not spec.informs]
    if not specs:
        return _empty_tree()
    leaves = [(Fraction(spec.weight), of_measure(spec, curves[name])) for name, spec in specs]
    loose = tuple(index for index, (_, spec) in enumerate(specs) if spec.group is None)
    ignoring = body.score.missing == "ignore"
    tops, groups, empty = [leaves[index] for index in loose], [], []
    for name, spec in body.groups.items():
        indices = tuple(index for index, (_, measure) in enumerate(specs) if measure.group == name)
        if not indices:
            empty += [name] if spec.weight else []
            continue
        members = [leaves[index] for index in indices]
        weight = sum(w for w, _ in members) if spec.weight is None else Fraction(spec.weight)
        ignore = ignoring if spec.missing is None else spec.missing == "ignore"
        combinator = _combinator(spec, spec.title or name.capitalize(), members, ignore=ignore)
        tops.append((Fraction(weight), _range(spec, members, ignore=ignore)))
        groups.append(PlanGroup(name, combinator, indices, spec.multiplies or 1.0, spec.involuntary))

    factors, shares = [Fraction(0)] * len(specs), [Fraction(0)] * len(specs)
    above = list(zip(*_split(body.score, tops), strict=True))
    for index, (factor, share) in zip(loose, above, strict=False):
        factors[index], shares[index] = factor, share
    for group, (factor, share) in zip(groups, above[len(loose) :], strict=True):
        below = zip(*_split(body.groups[group.name], [leaves[i] for i in group.terms]), strict=True)
        for index, (inner, part) in zip(group.terms, below, strict=True):
            factors[index], shares[index] = factor * inner, share * part

    rules = [("", body.score, tops)] + [
        (group.name, body.groups[group.name], [leaves[index] for index in group.terms]) for group in groups
    ]
    return Tree(
        root=_combinator(body.score, "The score", tops, ignore=ignoring),
        loose=loose,
        groups=tuple(groups),
        factors=tuple(factors),
        shares=tuple(shares),
        range=_range(body.score, tops, ignore=ignoring),
        weightless=(
            *empty,
            *(n for n, spec, members in rules if spec.combine == "mean" and not any(w for w, _ in members)),
        ),
    )


def _empty_tree() -> Tree:
    """Return the tree of a specification none of whose measures is counted."""
    return Tree(Combinator("The score", "mean", ()), (), (), (), (), (0.0, 0.0), ("",))


def _combinator(spec: CombineSpec, title: str, members: Sequence[_Member], *, ignore: bool) -> Combinator:
    return Combinator(
        title=title,
        kind=spec.combine,
        weights=tuple(float(weight) for weight, _ in members),
        ignore=ignore,
        start=spec.start,
        low=spec.min,
        high=spec.max,
        digits=spec.round,
    )


def _range(spec: CombineSpec, members: Sequence[_Member], *, ignore: bool) -> Range:
    return combined(spec, [(float(weight), reach) for weight, reach in members], ignore=ignore)


def _split(spec: CombineSpec, members: Sequence[_Member]) -> tuple[list[Fraction], list[Fraction]]:
    """Return each member's factor and share."""
    weights = [weight for weight, _ in members]
    total = sum(weights) or Fraction(1)
    if spec.combine == "mean":
        parts = [weight / total for weight in weights]
        return parts, parts
    if spec.combine == "product":  # what a member takes away is computed, not a fixed factor
        return [Fraction(0)] * len(members), [weight / total for weight in weights]
    if spec.combine == "worst":
        return [Fraction(1)] * len(members), [Fraction(1, len(members))] * len(members)
    spans = [weight * Fraction(high - low) for weight, (low, high) in members]
    span = sum(spans)
    return weights, [part / span for part in spans] if span else [Fraction(1, len(members))] * len(members)
