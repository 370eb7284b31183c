"""Calibration, whatever the data: weights are non-negative, curves monotone, and priors kept."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bellbuoy.calibration.fitting import fit, fit_with_strength
from bellbuoy.calibration.form import HEAVIEST, ProductForm
from bellbuoy.calibration.hazard import HazardData, Prior, fit_hazard, log_likelihood
from bellbuoy.calibration.model_text import edited
from bellbuoy.calibration.probability import fit_probability, probability_at
from processors.model import DEFAULT, default_text, load_model
from tests.support.calibration_samples import drawn_samples

shares = st.floats(0, 1, allow_subnormal=False)
FORM = ProductForm(DEFAULT)


@given(
    signs=arrays.arrays(float, (30, 4), elements=shares),
    left=arrays.arrays(bool, 30),
    mode=arrays.arrays(float, 4, elements=st.floats(0.001, 2)),
    strength=st.floats(0, 100),
)
@settings(max_examples=80, deadline=None)
def test_coefficients_are_never_negative_and_no_other_ones_nearby_are_more_probable(
    signs: np.ndarray, left: np.ndarray, mode: np.ndarray, strength: float
) -> None:
    signs[:, 0] = 1.0
    data = HazardData(signs[left], signs.sum(axis=0), 1.0)
    prior = Prior(mode, np.full(4, strength))
    found = fit_hazard(data, prior, rounds=5_000)
    assert (found >= 0).all()

    def posterior(at: np.ndarray) -> float:
        with np.errstate(divide="ignore", invalid="ignore"):
            before = strength * (np.log(at) - at / mode) if strength else 0.0
        return log_likelihood(data, at) + float(np.sum(before))

    for place in range(4):
        for factor in (0.9, 1.1):
            other = found.copy()
            other[place] *= factor
            assert posterior(other) <= posterior(found) + 1e-3


@given(mode=arrays.arrays(float, 5, elements=st.floats(0, 3)), strength=st.floats(0.1, 1e3))
def test_without_data_the_prior_stays(mode: np.ndarray, strength: float) -> None:
    nothing = HazardData(np.empty((0, 5)), np.zeros(5), 1.0)
    assert fit_hazard(nothing, Prior(mode, np.full(5, strength))) == pytest.approx(mode)


@given(seed=st.integers(0, 10_000), risk=st.floats(0, 0.1))
@settings(max_examples=15, deadline=None)
def test_weights_stay_between_nothing_and_everything_and_curves_keep_their_way(
    seed: int, risk: float
) -> None:
    fitted = fit(FORM, drawn_samples(60, 40, {"usage.gap": risk}, seed=seed))
    assert (fitted.values.weights >= 0).all()
    assert (fitted.values.weights <= HEAVIEST).all()
    for place, points in fitted.values.curves.items():
        usual = FORM.values.curves[place]
        assert [y for _, y in points] == [y for _, y in usual]
        assert all(a[0] < b[0] for a, b in pairwise(points))


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_the_firmer_the_prior_the_nearer_the_weights_to_the_file(seed: int) -> None:
    samples = drawn_samples(80, 40, {"usage.gap": 0.06}, seed=seed)
    away = [
        np.abs(fit_with_strength(FORM, samples, strength).values.weights - FORM.values.weights).sum()
        for strength in (1.0, 100.0, 1e6)
    ]
    assert away[0] > away[1] > away[2]
    assert away[2] < 1e-2


@given(seed=st.integers(0, 10_000), accounts=st.integers(1, 80), risk=st.floats(0, 0.2))
@settings(max_examples=25, deadline=None)
def test_a_better_score_is_never_more_probable_to_leave(seed: int, accounts: int, risk: float) -> None:
    samples = drawn_samples(accounts, 30, {"usage.gap": risk}, seed=seed)
    points = fit_probability(samples, samples.score)
    chances = [chance for _, chance in points]
    assert chances == sorted(chances, reverse=True)
    assert all(0 <= chance <= 1 for chance in chances)
    stated = probability_at(points, np.linspace(0, 1, 101))
    assert (np.diff(stated) <= 1e-12).all()


@given(
    weights=st.dictionaries(
        st.sampled_from([family.name for family in FORM.families]), st.integers(1, 98), max_size=5
    ),
    chance=st.floats(0.001, 0.9),
)
@settings(max_examples=25, deadline=None)
def test_an_edited_file_says_what_was_asked_and_keeps_all_else(
    weights: dict[str, int], chance: float
) -> None:
    numbers = {("groups", name, "weight"): weight / 100 for name, weight in weights.items()}
    text = edited(default_text(), numbers, {"churn_probability": [[0, 0.9], [100, chance]]})
    changed = ProductForm(load_model(text))
    for family, before, after in zip(FORM.families, FORM.values.weights, changed.values.weights, strict=True):
        assert after == weights.get(family.name, before * 100) / 100
    old, new = default_text().splitlines(), text.splitlines()
    assert len(new) == len(old) + 1
    assert sum(a != b for a, b in zip(old, new, strict=False)) <= len(weights)
    comments = [line for line in old if line.lstrip().startswith("#")]
    assert [line for line in new if line.lstrip().startswith("#")] == comments
