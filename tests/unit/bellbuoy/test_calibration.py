"""Calibration by hand, on drawn samples, and on a small world from end to end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from bellbuoy.calibration.bands import fit_edges
from bellbuoy.calibration.effect import AUC_90
from bellbuoy.calibration.form import ProductForm
from bellbuoy.calibration.model_text import edited, unified_diff
from bellbuoy.calibration.proposal import TooLittleHistoryError, propose
from bellbuoy.calibration.report import as_data, text_lines
from bellbuoy.calibration.samples import Samples, joined, take_samples
from bellbuoy.cli.app import app
from bellbuoy.errors import ConfigError
from bellbuoy.simulator.worlds.world import World, load_world
from processors.model import DEFAULT, check_model, default_text, load_model
from processors.model.file.format import ModelSpec
from tests.support.calibration_samples import drawn_samples

WORLD = """\
world: quick
about: Half of the customers are gone within half a year.
accounts: 80
days: 190
start: 2025-01-06
onsets_a_month: 0.7
countries: {DE: 1.0}
segments:
  team:
    share: 1.0
    seats: {median: 4, spread: 0.3, least: 2, most: 8}
    plans: [team]
    price_minor: 2900
    currency: EUR
    terms_months: {1: 1.0}
    rhythms: {daily: 1.0, weekly: 0.0, fortnightly: 0.0}
    sends_little: 0.5
causes:
  decay: {weight: 2, days: [30, 60], saved: 0.3, strength: [0.8, 1.0]}
  payment: {days: [20, 60], saved: 0.3}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, World]:
    path = tmp_path_factory.mktemp("world") / "quick.yaml"
    path.write_text(WORLD)
    return path, load_world(str(path), seed=6)


@pytest.fixture(scope="module")
def samples(world: tuple[Path, World]) -> Samples:
    found, varied = take_samples(world[1], DEFAULT)
    assert not varied
    return found


def test_the_form_scores_as_the_model_does(samples: Samples) -> None:
    form = ProductForm(DEFAULT)
    scores = form.scores(samples, form.values)
    assert np.abs(scores - samples.score).max() < 1e-4
    assert samples.score.min() < 0.5 < samples.score.max()


def test_samples_end_when_the_customer_has_spoken(world: tuple[Path, World], samples: Samples) -> None:
    for place, fate in enumerate(world[1].fates):
        mine = samples.take(samples.who == place)
        told = min((at for at in (fate.notice_at, fate.churned_at) if at is not None), default=None)
        if told is not None and len(mine):
            assert (told - world[1].start) / 86_400_000 > mine.day.max()
        assert (mine.leaves_in > 0).all()


def test_what_is_known_on_a_day_does_not_hold_what_came_later(samples: Samples) -> None:
    early = samples.until(150)
    assert early.day.max() < 150
    assert (early.day + early.known_for <= 150).all()
    assert early.churners < samples.churners


def test_a_variant_s_accounts_are_left_out(world: tuple[Path, World]) -> None:
    model = load_model(
        default_text() + 'variants: {all: {priority: 1, when: account.plan == "team", min_coverage: 0.2}}\n'
    )
    short = load_world(str(world[0]), seed=5, accounts=10, days=100)
    found, varied = take_samples(short, model)
    assert varied
    assert len(found) < varied


def test_a_small_world_from_end_to_end(world: tuple[Path, World], samples: Samples, tmp_path: Path) -> None:
    """Export, calibrate, apply: the file that is written passes the check and states probabilities."""
    output = tmp_path / "mine.yaml"
    ran = CliRunner().invoke(app, ["calibrate", str(world[0]), "--seed", "6", "--output", str(output)])
    assert ran.exit_code == 0, ran.output
    assert f"{samples.churners:,} left within 90 days" in ran.output
    assert "Expected effect on accounts that took no part in the fit" in ran.output
    version = ModelSpec.model_validate_json(DEFAULT.text).version
    assert f"+version: {version + 1}" in ran.output
    assert f"bellbuoy model apply {output}" in ran.output
    checked = check_model(output.read_text())
    assert checked.model is not None
    assert not checked.warnings
    chances = [checked.model.plan.churn_probability(score) for score in (0, 5_000, 10_000)]
    assert chances == sorted(chances, reverse=True)
    comments = [line for line in default_text().splitlines() if line.lstrip().startswith("#")]
    assert [line for line in output.read_text().splitlines() if line.lstrip().startswith("#")] == comments


def test_a_history_with_few_churners_is_refused_with_what_is_needed(
    world: tuple[Path, World], tmp_path: Path
) -> None:
    output = tmp_path / "mine.yaml"
    args = ["calibrate", str(world[0]), "--seed", "5", "--accounts", "10", "--days", "120"]
    ran = CliRunner().invoke(app, [*args, "--output", str(output)])
    assert isinstance(ran.exception, TooLittleHistoryError)
    assert "30 are needed" in str(ran.exception)
    assert "months of history" in str(ran.exception)
    assert not output.exists()


def test_no_churner_at_all_is_said_as_well() -> None:
    with pytest.raises(TooLittleHistoryError, match="with the dates on which customers left"):
        propose(DEFAULT, default_text(), drawn_samples(20, 10, {}, base=0.0))


def test_a_sign_that_tells_gains_weight_and_one_that_does_not_loses_some() -> None:
    """Silence is deadly here, an unpaid bill means nothing, and nobody has another sign."""
    drawn = drawn_samples(160, 30, {"usage.gap": 0.15}, seed=3)
    found = propose(DEFAULT, default_text(), drawn)
    family = {each.name: each for each in found.families}
    assert family["silence"].after > family["silence"].before + 0.1
    assert family["payments"].after < family["payments"].before - 0.1
    assert family["champion"].after == family["champion"].before
    assert family["champion"].churners == 0
    change = found.by_accounts.change(AUC_90)
    assert change.sure
    assert change.after > change.before
    diff = unified_diff(default_text(), found.text, "a", "b")
    assert any(line.startswith("+  silence:") for line in diff)
    said = "\n".join(text_lines(found, diff))
    assert "silence" in said
    answer = orjson.loads(orjson.dumps(as_data(found, diff)))
    assert answer["by_accounts"]["changes"][1]["sure"]
    assert answer["churners"] == drawn.churners


def test_where_fitted_weights_rank_no_better_the_file_s_stay() -> None:
    drawn = drawn_samples(100, 30, {}, base=0.02, seed=4)
    found = propose(DEFAULT, default_text(), drawn)
    assert found.families == ()
    assert any("Weights and curves stay" in note for note in found.notes)
    assert "churn_probability" in found.text


def test_a_weighted_mean_keeps_its_weights_and_gets_a_probability() -> None:
    text = Path("tests/data/golden/default_model.v2.yaml").read_text()
    found = propose(load_model(text), text, drawn_samples(100, 30, {"usage.gap": 0.2}, seed=4))
    assert any("`combine: product` only" in note for note in found.notes)
    assert load_model(found.text).plan.churn_probability(0) is not None


def test_edges_move_towards_what_people_can_look_at_the_more_churners_are_seen() -> None:
    spec = ModelSpec.model_validate_json(DEFAULT.text)
    scores = np.linspace(0.5, 1.0, 1_000)
    few, many = fit_edges(spec, scores, 0), fit_edges(spec, scores, 10_000)
    assert few == [band.below for band in spec.bands[:-1]]
    assert many == pytest.approx([52, 56, 62], abs=1)


def test_histories_are_joined_with_accounts_of_their_own() -> None:
    one, other = drawn_samples(10, 5, {}), drawn_samples(20, 5, {})
    both = joined([one, other])
    assert len(both) == len(one) + len(other)
    assert len(np.unique(both.who)) == 30


def _texts() -> Iterator[tuple[str, str]]:
    yield (
        "score: {combine: product}\ngroups:\n  g:\n    title: G  # a comment\n",
        "g:\n    weight: 0.5\n    title",
    )
    yield '{"model": "x"}', '{"model": "x", "churn_probability": [[0, 0.5], [100, 0.1]]}'


def test_keys_that_are_missing_are_added_in_the_style_of_their_place() -> None:
    block, flow = _texts()
    assert block[1] in edited(block[0], {("groups", "g", "weight"): 0.5}, {})
    assert edited(flow[0], {}, {"churn_probability": [[0, 0.5], [100, 0.1]]}) == flow[1]
    listed = "churn_probability:\n  - [0, 0.9]\n  - [100, 0.2]\n# the end\n"
    assert edited(listed, {}, {"churn_probability": [[0, 0.5], [100, 0.1]]}) == (
        "churn_probability: [[0, 0.5], [100, 0.1]]\n# the end\n"
    )


def test_aliases_are_refused() -> None:
    with pytest.raises(ConfigError, match="write their values out"):
        edited("a: &x 1\nb: *x\n", {("a",): 2.0}, {})
