"""
Fit of a discrete-time hazard whose signs add up, with coefficients that are never negative.

On each day of a horizon an account that is still a customer leaves with the probability
``1 - exp(-H / days)``, where ``H`` is the sum of the coefficients times its signs. So it stays to the end
with ``exp(-H)``, a product of what each sign leaves: the form of the default model. Days are so short that
``1 - exp(-x)`` is ``x``, which gives the likelihood of a Poisson process. Expectation-maximisation finds its
maximum by steps that keep every coefficient positive (Lange and Carson 1984, "EM reconstruction algorithms";
with a prior: Green 1990).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["HazardData", "Prior", "fit_hazard", "log_likelihood"]

_ROUNDS = 400
_CLOSE = 1e-6

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HazardData:
    """
    Sums over observations, as a fit needs them.

    ``events`` are the signs of those that left, a row each. ``exposure`` is the sum over all observations of
    each sign times the share of the horizon at risk. ``weight`` is what one observation counts as, in
    accounts: an account that leaves is observed many times.
    """

    events: Floats
    exposure: Floats
    weight: float


@dataclass(frozen=True, slots=True)
class Prior:
    """
    Prior of the coefficients: the most probable value of each before any data, and how firm that is.

    ``strength`` is in accounts that left: a prior of 10 counts as much as ten of them. It is a gamma
    distribution with this mode, so no coefficient becomes negative; 0 is no prior.
    """

    mode: Floats
    strength: Floats


def fit_hazard(data: HazardData, prior: Prior, start: Floats | None = None, rounds: int = _ROUNDS) -> Floats:
    """
    Return the coefficients with the greatest posterior density.

    Without events and exposure they are the prior's mode. A coefficient with neither prior nor exposure is 0.
    """
    firm = prior.strength > 0
    rate = np.divide(prior.strength, prior.mode, out=np.zeros_like(prior.mode), where=prior.mode > 0)
    below = rate + data.weight * data.exposure
    fixed = (prior.mode == 0) & firm
    found = np.where(firm, prior.mode, 0.1) if start is None else start.copy()
    for _ in range(rounds):
        hazard = data.events @ found
        share = data.events.T @ np.divide(1.0, hazard, out=np.zeros_like(hazard), where=hazard > 0)
        above = prior.strength + data.weight * found * share
        new = np.divide(above, below, out=np.zeros_like(found), where=below > 0)
        new[fixed] = 0.0
        done = np.abs(new - found).max(initial=0.0) <= _CLOSE * np.abs(new).max(initial=1e-12)
        found = new
        if done:
            break
    return found


def log_likelihood(data: HazardData, coefficients: Floats) -> float:
    """Return the log-likelihood of the coefficients, up to a constant; observations weigh as in the data."""
    hazard = np.maximum(data.events @ coefficients, 1e-12)
    return float(data.weight * (np.log(hazard).sum() - data.exposure @ coefficients))
