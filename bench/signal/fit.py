"""
Fit of a product model's numbers to observed worlds, shrunk towards the numbers of a model file.

What a family takes from a score, as a logarithm, is a hazard: the sum over its signs of curves that only rise
with badness. Each curve is a sum of pieces between knots, none of which is negative (monotone splines, Ramsay
1988). The pieces are those that rank best: of an account in trouble and a calm one, of one that leaves soon
and one that stays, the first should have the greater hazard. The loss is the logistic one of such pairs
(RankNet, Burges et al. 2005), a smooth form of one minus the AUC. All worlds count alike, so that clear signs
are not outvoted by noise. The prior is normal, around the file's own curves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from bench.signal.observe import Observed
from processors.model import Model
from processors.model.file.format import ModelSpec
from processors.model.plan.curves import compile_curve

__all__ = ["KNOTS", "Fitted", "Sign", "fit"]

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sign:
    """A measure with the values, from good to bad, between which its curve is straight."""

    measure: str
    knots: tuple[float, ...]


KNOTS: Mapping[str, tuple[Sign, ...]] = MappingProxyType(
    {
        "decline": (
            Sign("usage.year", (-0.1, -0.3, -0.5, -0.7, -0.9)),
            Sign("usage.trend", (-0.1, -0.3, -0.5, -0.9)),
            Sign("usage.fortnight", (-1, -2, -4, -8)),
            Sign("usage.week", (-0.15, -0.35, -0.6, -1)),
        ),
        "people": (
            Sign("people.lost", (0.05, 0.15, 0.3, 0.5, 0.7)),
            Sign("people.regulars_lost", (0.2, 0.4, 0.6, 0.85)),
            Sign("people.key_person", (1.5, 3, 6, 9.9)),
        ),
        "silence": (Sign("usage.gap", (1.2, 2, 3, 5, 7)),),
        "level": (Sign("seats.idle", (0.35, 0.6, 0.8, 0.95, 1)),),
        "champion": (
            Sign("engagement.champion_gone", (0, 0.4, 1)),
            Sign("engagement.champion_silent", (10, 21, 40, 75)),
            Sign("engagement.sponsor_gone", (0, 1)),
        ),
        "contact": (Sign("engagement.unanswered", (0, 2, 3, 5)),),
        "onboarding": (
            Sign("onboarding.idle", (0.1, 0.3, 0.5, 0.75)),
            Sign("onboarding.stalled", (1, 6, 12, 25)),
        ),
        "support": (
            Sign("support.troubled", (0, 1, 2, 4, 8)),
            Sign("support.open", (1, 4, 12, 30)),
        ),
        "performance": (
            Sign("performance.failures", (0.01, 0.02, 0.04, 0.08)),
            Sign("performance.latency_rise", (0.03, 0.1, 0.2, 0.4, 1.2)),
        ),
        "payments": (
            Sign("billing.payment", (0, 1, 2, 3)),
            Sign("billing.overdue", (5, 15, 30, 45)),
        ),
        "price": (
            Sign("revenue.price_rise", (0.02, 0.08, 0.15, 0.3)),
            Sign("revenue.reduction", (0.1, 0.25, 0.5)),
        ),
        "voice": (Sign("surveys.detractors", (0, 1, 2)),),
    }
)
"""The signs of each family; a piece of a curve lies between two knots."""

RENEWAL = Sign("billing.renewal_near", (0, 0.2, 0.4, 0.6, 0.7, 0.8))
_SPREAD = 0.15
"""The difference of two hazards that tells two accounts apart."""

_PAIRED, _FEWEST = 500, 10
"""Observations of a side that are paired at most, and at least."""

_SOON, _LATER = 1.0, 0.4


@dataclass(slots=True)
class Fitted:
    """What each piece of a curve adds to the hazard, and what a near renewal multiplies it by and adds."""

    pieces: dict[str, Floats]
    multiplies: Floats
    adds: Floats

    def total(self, observed: Observed) -> Floats:
        """Return the hazard of each observation, as the logarithm that its score is of."""
        columns = _Columns(observed, self.pieces)
        return columns.total(np.concatenate([*self.pieces.values()]), self.multiplies, self.adds)


class _Columns:
    """The pieces of all curves as columns, a row for each observation."""

    def __init__(self, observed: Observed, names: Iterable[str], rows: Rows | None = None) -> None:
        chosen = np.arange(len(observed.who)) if rows is None else rows
        knots = {sign.measure: sign.knots for family in KNOTS.values() for sign in family}
        involuntary = {sign.measure for sign in KNOTS["payments"]}
        self.basis = np.hstack([_basis(observed.column(name)[chosen], knots[name]) for name in names])
        self.renewal = _basis(observed.column(RENEWAL.measure)[chosen], RENEWAL.knots)
        self.voluntary = np.concatenate(
            [np.full(len(knots[name]) - 1, name not in involuntary) for name in names]
        )

    def total(self, pieces: Floats, multiplies: Floats, adds: Floats) -> Floats:
        voluntary = self.basis @ (pieces * self.voluntary)
        involuntary = self.basis @ (pieces * ~self.voluntary)
        times = 1 + self.renewal @ multiplies
        return np.asarray(voluntary * times + involuntary + self.renewal @ adds)

    def slopes(self, of_total: Floats, pieces: Floats, multiplies: Floats) -> Floats:
        """Return the slope of a loss by pieces, multiples and additions, given that by each total."""
        times = 1 + self.renewal @ multiplies
        voluntary = self.basis @ (pieces * self.voluntary)
        of_pieces = np.where(self.voluntary, self.basis.T @ (of_total * times), self.basis.T @ of_total)
        of_renewal = self.renewal.T @ np.stack([of_total * voluntary, of_total], axis=1)
        return np.concatenate([of_pieces, of_renewal[:, 0], of_renewal[:, 1]])


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Accounts that should have the greater hazard than those ``below``, and what they count in all."""

    above: _Columns
    below: _Columns
    weight: float

    def loss(self, pieces: Floats, multiplies: Floats, adds: Floats) -> tuple[float, Floats]:
        high = self.above.total(pieces, multiplies, adds)
        low = self.below.total(pieces, multiplies, adds)
        apart = (high[:, None] - low[None, :]) / _SPREAD
        wrong = 1 / (1 + np.exp(np.clip(apart, -50, 50)))
        share = self.weight / apart.size
        value = float(np.logaddexp(0, -apart).sum()) * share
        slope = self.below.slopes(wrong.sum(axis=0) * share / _SPREAD, pieces, multiplies)
        slope -= self.above.slopes(wrong.sum(axis=1) * share / _SPREAD, pieces, multiplies)
        return value, slope


def _pairs(observed: Observed, names: Sequence[str], weight: float) -> Iterator[_Pairs]:
    labels = observed.labels
    trouble, calm = labels.in_trouble(14), labels.calm()
    soon, later = labels.churns_within(30), labels.churns_within(90)
    draw = np.random.default_rng(observed.seed)
    for above, below, counts in (
        (trouble, calm, 1.0), (soon, ~soon, _SOON), (later, ~later, _LATER)
    ):  # fmt: skip
        if above.sum() < _FEWEST:
            continue
        sides = [
            _Columns(
                observed,
                names,
                draw.choice(np.nonzero(side)[0], min(_PAIRED, int(side.sum())), replace=False),
            )
            for side in (above, below)
        ]
        yield _Pairs(sides[0], sides[1], counts * weight)


def _basis(values: Floats, knots: Sequence[float]) -> Floats:
    known = np.where(np.isnan(values), knots[0], values)
    pieces = [np.clip((known - a) / (b - a), 0, 1) for a, b in pairwise(knots)]
    return np.stack(pieces, axis=1)


def prior_of(model: Model) -> dict[str, Floats]:
    """Return what each piece adds in a model's own file; of a measure that it does not count, nothing."""
    spec = ModelSpec.model_validate_json(model.text)
    found = {}
    for family, signs in KNOTS.items():
        group = spec.groups[family]
        for sign in signs:
            one = spec.measures.get(sign.measure)
            if one is None or one.informs or one.curve is None:
                found[sign.measure] = np.zeros(len(sign.knots) - 1)
                continue
            curve = compile_curve(one.curve)
            inner = one.weight if group.combine == "product" else 1.0
            log = [-np.log1p(-(group.weight or 0) * inner * (1 - curve.score(x) / 100)) for x in sign.knots]
            found[sign.measure] = np.maximum(0, np.diff(log))
    return found


def fit(worlds: Sequence[Observed], prior: Mapping[str, Floats], *, strength: float) -> Fitted:
    """Return the numbers that rank the accounts of all worlds best; ``strength`` is how firm the prior is."""
    from scipy.optimize import minimize  # type: ignore[import-untyped]  # noqa: PLC0415

    names = list(prior)
    parts = Counter(observed.world for observed in worlds)
    pairs = [pair for one in worlds for pair in _pairs(one, names, 1 / len(parts) / parts[one.world])]
    before = np.concatenate([*prior.values()])
    count, near = len(before), len(RENEWAL.knots) - 1
    before = np.concatenate([before, np.zeros(2 * near)])

    def loss(x: Floats) -> tuple[float, Floats]:
        numbers = np.split(x, [count, count + near])
        value, slope = strength * float(((x - before) ** 2).sum()), 2 * strength * (x - before)
        for pair in pairs:
            more, steeper = pair.loss(*numbers)
            value, slope = value + more, slope + steeper
        return value, slope

    bounds = [(0, 2.5)] * count + [(0, 3)] * near + [(0, 1)] * near
    found = minimize(
        loss, before + 0.01, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 150}
    )
    pieces, multiplies, adds = np.split(found.x, [count, count + near])
    ends = np.cumsum([len(each) for each in prior.values()])[:-1]
    return Fitted(dict(zip(names, np.split(pieces, ends), strict=True)), multiplies, adds)
