"""The probability of churn at a score: a curve that only falls, through a few scores."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bellbuoy.backtest.observations import EVERY_DAYS
from bellbuoy.backtest.reliability import HORIZON_DAYS
from bellbuoy.calibration.hazard import HazardData, Prior, fit_hazard
from bellbuoy.calibration.samples import Samples

__all__ = ["fit_probability", "probability_at"]

_KNOTS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
_WEIGHT = EVERY_DAYS / HORIZON_DAYS
_LEAST = 0.02
_STRENGTH = 2.0
"""How many churners each piece of the curve's usual shape counts as."""

Floats = NDArray[np.float64]
Points = tuple[tuple[float, float], ...]


def fit_probability(samples: Samples, scores: Floats) -> Points:
    """
    Return points of score (0 to 1) and probability of churn within the horizon, which never rises.

    The hazard at a score is that at the best one and what each piece between two knots adds; none is
    negative. Its usual shape, which few churners leave as it is, is that of the product: so many times the
    score's logarithm.
    """
    rough = _data(samples, np.column_stack([np.ones(len(scores)), -np.log(np.maximum(scores, _LEAST))]))
    base, scale = fit_hazard(rough, Prior(np.array([0.0, 0.5]), np.array([0.0, 1.0])))
    knots = np.array(_KNOTS)
    usual = scale * np.diff(np.log(np.maximum(knots, _LEAST)))
    pieces = [np.clip((high - scores) / (high - low), 0.0, 1.0) for low, high in pairwise(_KNOTS)]
    data = _data(samples, np.column_stack([np.ones(len(scores)), *pieces]))
    before = Prior(np.array([0.0, *usual]), np.array([0.0, *(np.full(len(usual), _STRENGTH))]))
    found = fit_hazard(data, before, np.array([base, *usual]))
    hazards = found[0] + np.append(np.cumsum(found[:0:-1])[::-1], 0.0)
    chances = -np.expm1(-hazards)
    return tuple((score, float(f"{chance:.3g}")) for score, chance in zip(_KNOTS, chances, strict=True))


def probability_at(points: Points, scores: Floats) -> Floats:
    """Return the probability at each score, by straight lines between the points."""
    xs, ys = zip(*points, strict=True)
    return np.asarray(np.interp(scores, xs, ys), float)


def _data(samples: Samples, signs: Floats) -> HazardData:
    return HazardData(signs[samples.left], samples.at_risk @ signs, _WEIGHT)
