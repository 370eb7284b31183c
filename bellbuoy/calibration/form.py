"""Form of a product model over many observations at once: families of signs, and the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bellbuoy.calibration.samples import Samples
from processors.model import Model
from processors.model.file.format import ModelSpec

__all__ = ["HEAVIEST", "Family", "FormValues", "ProductForm", "taken_at_worst"]

HEAVIEST = 0.98
"""The greatest weight that is proposed: a family alone leaves at least two points of a hundred."""

Floats = NDArray[np.float64]
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Family:
    """
    A member of the product: a group, or a measure without one.

    ``path`` leads to it in the file. ``terms`` are the columns of its measures, ``inner`` their weights.
    """

    name: str
    path: tuple[str, ...]
    kind: str
    terms: tuple[int, ...]
    inner: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class FormValues:
    """The numbers of a form that calibration moves: a weight for each family, the points of some curves."""

    weights: Floats
    curves: Mapping[int, Points]


class ProductForm:
    """
    A product model's form, without its numbers; ``values`` are those of its file.

    ``curves`` of the values are those that may move: of points that only rise or only fall, of a measure that
    is scored by its value alone. Scores of all other measures stay as they were observed.
    """

    def __init__(self, model: Model) -> None:
        spec = ModelSpec.model_validate_json(model.text)
        plan = model.plan
        self.families: list[Family] = [
            Family(plan.terms[place].name, ("measures", plan.terms[place].name), "worst", (place,), (1.0,))
            for place in plan.loose
        ]
        for group in plan.groups:
            self.families.append(
                Family(
                    group.name,
                    ("groups", group.name),
                    group.combinator.kind,
                    group.terms,
                    group.combinator.weights,
                )
            )
        self._multiplies = np.array([1.0] * len(plan.loose) + [group.multiplies for group in plan.groups])
        self._multiplied = np.array(
            [True] * len(plan.loose)
            + [group.multiplies == 1 and not group.involuntary for group in plan.groups]
        )
        self.terms = [term.name for term in plan.terms]
        curves: dict[int, Points] = {}
        for place, term in enumerate(plan.terms):
            points = spec.measures[term.name].curve.points if term.plain else None  # type: ignore[union-attr]
            if points is not None and _monotone([y for _, y in points]):
                curves[place] = tuple((x, y / plan.scale) for x, y in points)
        self.values = FormValues(np.array(plan.root.weights), curves)

    def badness(self, samples: Samples, curves: Mapping[int, Points]) -> Floats:
        """Return how bad each family is, 0 to 1, with a row for each observation."""
        columns = [self.badness_of(family, samples, curves) for family in self.families]
        return np.asarray(np.column_stack(columns), float)

    def badness_of(self, family: Family, samples: Samples, curves: Mapping[int, Points]) -> Floats:
        """Return how bad one family is; what is not known adds nothing."""
        members = np.column_stack([_badness(samples, place, curves.get(place)) for place in family.terms])
        known = np.nan_to_num(members)
        inner = np.array(family.inner)
        if family.kind == "worst":
            return np.asarray(known.max(axis=1), float)
        if family.kind == "product":
            return np.asarray(1 - np.prod(1 - inner * known, axis=1), float)
        weight = (~np.isnan(members)) @ inner
        return np.asarray(np.divide(known @ inner, weight, out=np.zeros(len(known)), where=weight > 0))

    def times(self, badness: Floats) -> Floats:
        """Return how often each family counts in each observation: a near renewal multiplies the others."""
        times = np.prod(1 + (self._multiplies - 1) * badness, axis=1)
        return np.asarray(np.where(self._multiplied, times[:, None], 1.0), float)

    def scores(self, samples: Samples, values: FormValues) -> Floats:
        """Return the score of each observation, 0 to 1, caps included."""
        badness = self.badness(samples, values.curves)
        left = np.prod((1 - values.weights * badness) ** self.times(badness), axis=1)
        return np.asarray(np.minimum(left, samples.limit), float)


def taken_at_worst(weights: Floats) -> Floats:
    """Return what each family takes away at its worst, as a logarithm: these add up."""
    return np.asarray(-np.log1p(-np.minimum(weights, HEAVIEST)), float)


def _badness(samples: Samples, place: int, points: Points | None) -> Floats:
    if points is None:
        return np.asarray(np.clip(1 - samples.scores[:, place], 0.0, 1.0), float)
    xs, ys = zip(*points, strict=True)
    return np.asarray(np.clip(1 - np.interp(samples.values[:, place], xs, ys), 0.0, 1.0), float)


def _monotone(scores: Sequence[float]) -> bool:
    return list(scores) in (sorted(scores), sorted(scores, reverse=True)) and scores[0] != scores[-1]
