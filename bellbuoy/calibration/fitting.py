"""Fit of a form's weights and curves to samples, shrunk towards the numbers of the model's own file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from bellbuoy.backtest.observations import EVERY_DAYS
from bellbuoy.backtest.reliability import HORIZON_DAYS
from bellbuoy.calibration.form import HEAVIEST, FormValues, Points, ProductForm, taken_at_worst
from bellbuoy.calibration.hazard import HazardData, Prior, fit_hazard, log_likelihood
from bellbuoy.calibration.samples import Samples

__all__ = ["Fitted", "fit", "fit_with_strength"]

Floats = NDArray[np.float64]

_STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""How many churners the file's weight of a family may count as; the best one is found by cross-validation."""

_INNER_FOLDS = 4
_ROUNDS = 3
_WEIGHT = EVERY_DAYS / HORIZON_DAYS
"""What an observation counts as: whoever leaves is observed so often in the horizon that it counts once."""

_SCALE = Prior(np.array([0.0, 0.5]), np.array([0.0, 1.0]))
_STRETCHES = (0.6, 0.8, 1.0, 1.25, 1.6)
_SHIFTS = (-0.3, -0.15, 0.0, 0.15, 0.3)
_COST = 2.0
"""What the likelihood must gain before a curve moves: two parameters' worth (Akaike 1974)."""

_CURVE_PRIOR = 0.5
"""Spread, before any data, of a curve's shift in spans, and of the logarithm of its stretch."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """
    Fitted numbers of a form; ``strength`` is how many churners the file's weights counted as.

    ``scale`` is how much hazard a point of the score's logarithm stands for, ``base`` the hazard at the best.
    """

    values: FormValues
    strength: float
    base: float
    scale: float


def fit(form: ProductForm, samples: Samples) -> Fitted:
    """Return the weights and curves that fit the samples best, no farther from the file's than they tell."""
    strength = _best_strength(form, samples)
    fitted = fit_with_strength(form, samples, strength)
    curves = _fit_curves(form, samples, fitted)
    if curves == form.values.curves:
        return fitted
    return fit_with_strength(form, samples, strength, curves)


def _best_strength(form: ProductForm, samples: Samples) -> float:
    """Return the strength under which accounts that took no part in a fit are the most likely."""
    folds = samples.who % _INNER_FOLDS
    badness = form.badness(samples, form.values.curves)
    scores = dict.fromkeys(_STRENGTHS, 0.0)
    for fold in range(_INNER_FOLDS):
        inside, outside = folds != fold, folds == fold
        for strength in _STRENGTHS:
            fitted = _weights(form, samples.take(inside), badness[inside], strength)
            unseen = _data(form, samples.take(outside), badness[outside], fitted.values.weights)
            u = taken_at_worst(fitted.values.weights)
            scores[strength] += log_likelihood(unseen, np.array([fitted.base, *(fitted.scale * u)]))
    return max(scores, key=lambda strength: (scores[strength], strength))


def fit_with_strength(
    form: ProductForm, samples: Samples, strength: float, curves: Mapping[int, Points] | None = None
) -> Fitted:
    """Return the weights that fit samples, the file's counting as so many churners; curves are as given."""
    curves = form.values.curves if curves is None else curves
    fitted = _weights(form, samples, form.badness(samples, curves), strength)
    return replace(fitted, values=FormValues(fitted.values.weights, curves))


def _weights(form: ProductForm, samples: Samples, badness: Floats, strength: float) -> Fitted:
    """
    Return the fit of the weights.

    First the hazard that the file's score stands for, then what each family adds to it: the more it does, the
    greater its weight. The shape of what a family takes away depends on its weight, so this is repeated.
    """
    prior = form.values.weights
    usual = taken_at_worst(prior)
    data = _data(form, samples, badness, prior)
    score = HazardData(
        np.column_stack([data.events[:, 0], data.events[:, 1:] @ usual]),
        np.array([data.exposure[0], data.exposure[1:] @ usual]),
        _WEIGHT,
    )
    base, scale = fit_hazard(score, _SCALE)
    weights = prior
    coefficients = np.array([base, *(scale * usual)])
    before = Prior(np.array([0.0, *(scale * usual)]), np.array([0.0, *(np.full(len(usual), strength))]))
    for _ in range(_ROUNDS):
        coefficients = fit_hazard(_data(form, samples, badness, weights), before, coefficients)
        weights = np.minimum(-np.expm1(-coefficients[1:] / scale), HEAVIEST)
    return Fitted(FormValues(weights, {}), strength, float(coefficients[0]), float(scale))


def _data(form: ProductForm, samples: Samples, badness: Floats, weights: Floats) -> HazardData:
    """Return the signs: 1 for everybody, then of each family what it takes away as a share of its worst."""
    worst = taken_at_worst(weights)
    taken = -np.log1p(-np.minimum(weights, HEAVIEST) * badness) * form.times(badness)
    signs = np.divide(taken, worst, out=badness.copy(), where=worst > 0)
    signs = np.column_stack([np.ones(len(samples)), signs])
    return HazardData(signs[samples.left], samples.at_risk @ signs, _WEIGHT)


def _fit_curves(form: ProductForm, samples: Samples, fitted: Fitted) -> dict[int, Points]:
    """Return the curves, each moved where that makes the samples likelier than a move costs."""
    curves = dict(form.values.curves)
    weights = fitted.values.weights
    badness = form.badness(samples, curves)
    coefficients = np.array([fitted.base, *(fitted.scale * taken_at_worst(weights))])
    prior = Prior(
        coefficients * (np.arange(len(coefficients)) > 0), np.array([0.0, *[fitted.strength] * len(weights)])
    )
    best = log_likelihood(_data(form, samples, badness, weights), coefficients)
    for column, family in enumerate(form.families):
        for place in family.terms:
            if place not in curves:
                continue
            found = None
            for points, cost in _moves(curves[place]):
                trial = badness.copy()
                trial[:, column] = form.badness_of(family, samples, {**curves, place: points})
                data = _data(form, samples, trial, weights)
                new = fit_hazard(data, prior, coefficients, rounds=20)
                gain = log_likelihood(data, new) - cost - best
                if gain > 0 and (found is None or gain > found[0]):
                    found = gain, points, trial, new
            if found is not None:
                gain, curves[place], badness, coefficients = found
                best = log_likelihood(_data(form, samples, badness, weights), coefficients)
    return curves


def _moves(points: Points) -> Iterator[tuple[Points, float]]:
    """Yield the curves near a curve, and what each must gain: its best end shifted, its length stretched."""
    best = points[0] if points[0][1] > points[-1][1] else points[-1]
    span = points[-1][0] - points[0][0]
    calm = _score_at(points, 0.0) == best[1]
    for shift, stretch in product(_SHIFTS, _STRETCHES):
        if shift == 0 and stretch == 1:
            continue
        start = best[0] + shift * span
        moved = tuple((_short(start + (x - best[0]) * stretch), y) for x, y in points)
        if len({x for x, _ in moved}) < len(moved) or (calm and _score_at(moved, 0.0) != best[1]):
            continue  # what is no evidence must not become bad
        yield moved, _COST + ((shift / _CURVE_PRIOR) ** 2 + (np.log(stretch) / _CURVE_PRIOR) ** 2) / 2


def _score_at(points: Points, value: float) -> float:
    xs, ys = zip(*points, strict=True)
    return float(np.interp(value, xs, ys))


def _short(value: float) -> float:
    return float(f"{value:.3g}")
