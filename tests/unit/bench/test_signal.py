"""The fit of the default model to worlds: the same scores as the product's, and numbers that rank better."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bellbuoy.backtest.metrics import auc
from bellbuoy.simulator.worlds.world import load_world
from bench.signal.fit import fit, prior_of
from bench.signal.observe import Observed, observe
from bench.signal.scoring import confusion, score
from bench.signal.writing import written
from processors.model import DEFAULT, default_text, load_model
from processors.scoring.score import weigh
from processors.state.account import State
from processors.view import View


@pytest.fixture(scope="module")
def observed() -> Observed:
    return observe(load_world("clear", seed=9, accounts=30, days=120))


def test_an_observed_world_is_kept_for_the_next_search(tmp_path: Path) -> None:
    world = load_world("clear", seed=9, accounts=5, days=92)
    first = observe(world, tmp_path)
    (file,) = tmp_path.iterdir()
    assert file.name == "clear-9-5-92.pickle"
    again = observe(world, tmp_path)
    np.testing.assert_array_equal(again.values, first.values)


def test_many_scores_at_once_are_those_of_the_product(observed: Observed) -> None:
    found = score(DEFAULT, observed)
    view = View(State(tenant="t", account_id="a"), 0)
    facts = [read(view) for read in DEFAULT.plan.reads]
    for row in range(0, len(observed.who), 7):
        known = dict(zip(observed.names, observed.values[row].tolist(), strict=True))
        values = [
            type(fact)(None if np.isnan(known[read.name]) else known[read.name], fact.reason)
            for read, fact in zip(DEFAULT.plan.reads, facts, strict=True)
        ]
        verdict = weigh(
            DEFAULT.plan, values, view, untold=frozenset({"billing.cancellation", "support.urgent"})
        )
        assert found.score[row] == pytest.approx(verdict.score / 100, abs=0.006)


def test_a_file_that_is_written_from_its_own_numbers_scores_as_before(observed: Observed) -> None:
    again = load_model(written(default_text(), prior_of(DEFAULT)))
    before, after = score(DEFAULT, observed).score, score(again, observed).score
    assert np.abs(before - after).max() < 3


def test_fitted_numbers_rank_the_world_they_saw_better(observed: Observed) -> None:
    prior = {name: np.full_like(pieces, 0.05) for name, pieces in prior_of(DEFAULT).items()}
    fitted = fit([observed], prior, strength=0.001)
    labels = observed.labels
    trouble, calm = labels.in_trouble(14), labels.calm()
    judged = trouble | calm
    flat = auc(fit([observed], prior, strength=1e6).total(observed)[judged], trouble[judged])
    assert auc(fitted.total(observed)[judged], trouble[judged]) > flat
    assert all((pieces >= 0).all() for pieces in fitted.pieces.values())


def test_causes_that_are_named_are_counted(observed: Observed) -> None:
    found = confusion(observed, score(DEFAULT, observed))
    assert found
    for one in found.values():
        assert sum(share for _, share in one.instead) <= 1 - one.named.value + 1e-9
