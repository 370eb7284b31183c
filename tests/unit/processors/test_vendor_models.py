"""
The models in docs/models compute what the tools that they stand for publish, to the digit.

Every example is scored from values that give the published scores of its measures; a measure that isn't named
is not known.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from processors.measures import MeasureValue
from processors.model import Model, Plan, check_model, load_model
from processors.model.plan.combine import Combinator, combine
from processors.model.plan.curves import half_up
from processors.scoring.score import Verdict, settle, weigh
from processors.state.account import State, stamp
from processors.view import View
from schemas.times import DAY
from tests.support.generators import NOW

MODELS = Path(__file__).parents[3] / "docs" / "models"
FILES = sorted(path.stem for path in MODELS.glob("*.yaml"))


def model(name: str) -> Model:
    return load_model((MODELS / f"{name}.yaml").read_text())


def score(plan: Plan, facts: dict[str, float | MeasureValue]) -> Verdict:
    """Weigh facts by measure name; the others are not known."""
    given = {
        name: fact if isinstance(fact, MeasureValue) else MeasureValue(fact, name)
        for name, fact in facts.items()
    }
    assert given.keys() <= {read.name for read in (*plan.reads, *plan.shows)}
    view = View(State(tenant="acme", account_id="a"), NOW)
    return weigh(plan, [given.get(read.name, MeasureValue(None, "not known")) for read in plan.reads], view)


def own(verdict: Verdict) -> float:
    """The score on the model's own scale."""
    return verdict.score * verdict.plan.scale / 10_000


def scores(verdict: Verdict) -> dict[str, float | None]:
    return {measure.name: measure.score for measure in verdict.measures}


def label(verdict: Verdict) -> str:
    return verdict.plan.bands.label(settle(verdict, State(), NOW).band)


@pytest.mark.parametrize("name", FILES)
def test_every_example_has_no_faults(name: str) -> None:
    checked = check_model((MODELS / f"{name}.yaml").read_text())
    assert checked.faults == ()
    assert checked.model is not None
    assert checked.model.name == name


def test_sourcegraph_by_hand() -> None:
    """30 % of 10, 15 % of (5 + 10 + 5) / 3 and 55 % of (5 + 0) / 2 are 3 + 1 + 1.375."""
    facts: dict[str, float | MeasureValue] = {
        "own.account_pulse": 4, "own.versions_behind": 2, "own.defect_tickets": 1,
        "own.question_tickets": 7, "usage.breadth": 0.62, "usage.stickiness": 0.12,
    }  # fmt: skip
    verdict = score(model("sourcegraph").plan, facts)
    assert list(scores(verdict).values()) == [100, 50, 100, 50, 50, 0]
    assert (own(verdict), label(verdict)) == (pytest.approx(5.375), "Yellow")


def test_sourcegraph_agrees_with_the_case_worked_out_without_pulse() -> None:
    """15 % of 10 and 55 % of (5 + 0) / 2 are 2.875, and 4.107 where only these two groups are weighed."""
    facts: dict[str, float | MeasureValue] = {
        "own.versions_behind": 0, "own.defect_tickets": 0, "own.question_tickets": 0,
        "usage.breadth": 0.62, "usage.stickiness": 0.12,
    }  # fmt: skip
    verdict = score(model("sourcegraph").plan, facts)
    assert own(verdict) / 0.7 == pytest.approx(4.107, abs=0.001)


def test_gainsight_weighted_group_40_12_is_40() -> None:
    plan = model("gainsight").plan
    verdict = score(plan, {"support.open": 26.5, "support.urgent": 41, "support.reopened": 7.9})
    assert [scores(verdict)[name] for name in ("support.open", "support.urgent", "support.reopened")] == [
        47, 59, 21,
    ]  # fmt: skip
    exact = Combinator("Support", "mean", (20.0, 15.0, 22.0))
    assert combine(exact, (47, 59, 21)).value == pytest.approx(40.12, abs=0.005)
    assert own(verdict) == 40
    assert [a.name for a in verdict.adjustments] == ["rounding"]
    assert label(verdict) == "Red"


@pytest.mark.parametrize(("points", "colour"), [(50, "Red"), (51, "Yellow"), (75, "Yellow"), (76, "Green")])
def test_gainsight_a_range_leaves_its_from_value_out(points: int, colour: str) -> None:
    assert model("gainsight").plan.bands.label(model("gainsight").plan.bands.of(points * 100)) == colour


TOTANGO = {"usage.silence": 0.0, "usage.breadth": 0.9, "support.open": 0.0, "billing.overdue": 0.0}


@pytest.mark.parametrize(
    ("changed", "health"),
    [
        ({}, "Good"),
        ({"usage.breadth": 0.1}, "Poor"),
        ({"usage.breadth": 0.4}, "Average"),
        ({"usage.breadth": 0.4, "billing.overdue": 31.0}, "Poor"),
    ],
    ids=["all good", "any poor", "none poor, not all good", "poor wins over average"],
)
def test_totango_account_any_poor_is_poor(changed: dict[str, float], health: str) -> None:
    assert label(score(model("totango-account").plan, TOTANGO | changed)) == health


def test_totango_account_leaves_out_what_has_no_value() -> None:
    verdict = score(model("totango-account").plan, {"usage.silence": 0, "support.open": 0})
    assert label(verdict) == "Good"
    assert verdict.coverage == 0.5


def test_totango_multidimensional_weighs_good_100_average_60_poor_0() -> None:
    plan = model("totango-multidimensional").plan
    verdict = score(
        plan, {"usage.breadth": 0.7, "usage.frequency": 3, "support.open": 5, "billing.overdue": 31}
    )
    assert list(scores(verdict).values()) == [100, 60, 60, 0]
    assert own(verdict) == 0.5 * (0.6 * 100 + 0.4 * 60) + 0.3 * 60 + 0.2 * 0 == 60


@pytest.mark.parametrize(("no_value", "expected"), [(None, 100), (0, 60), (60, 84), (100, 100)])
def test_totango_multidimensional_the_admin_chooses_what_no_value_means(
    no_value: int | None, expected: float
) -> None:
    text = (MODELS / "totango-multidimensional.yaml").read_text()
    if no_value is not None:
        weight = "    group: utilization\n    weight: 40\n"
        assert weight in text
        text = text.replace(weight, f"{weight}    if_unknown: {no_value}\n")
    verdict = score(load_model(text).plan, {"usage.breadth": 0.7})
    assert own(verdict) == expected


def test_planhat_nps_7_between_0_and_10_is_plus_2() -> None:
    verdict = score(model("planhat").plan, {"usage.depth": 7})
    contribution = {measure.name: measure.contribution for measure in verdict.measures}["usage.depth"]
    assert contribution * 10 / 100 == 2
    assert own(verdict) == 5 + 2


@pytest.mark.parametrize(
    ("value", "impact"),
    [(-1, -5), (0, -5), (5, 0), (10, 5), (11, 5)],
    ids=["below", "low", "middle", "high", "above"],
)
def test_planhat_linear_holds_beyond_its_limits(value: float, impact: float) -> None:
    assert own(score(model("planhat").plan, {"usage.depth": value})) == 5 + impact


@pytest.mark.parametrize(("value", "impact"), [(-0.01, 0), (0, -3), (0.5, -1.5), (1, 0), (2, 2), (2.01, 0)])
def test_planhat_linear_bounded_counts_nothing_beyond_its_limits(value: float, impact: float) -> None:
    assert own(score(model("planhat").plan, {"usage.drop": value})) == 5 + impact


def test_planhat_clamps_to_0_and_10() -> None:
    plan = model("planhat").plan
    best = score(plan, {"usage.depth": 10, "usage.drop": 2, "usage.frequency": 7, "billing.payment": 0})
    worst = score(plan, {"usage.depth": 0, "usage.drop": 0, "usage.frequency": 0, "billing.payment": 1})
    assert (own(best), own(worst)) == (10, 0)
    assert [(a.name, a.contribution) for a in best.adjustments] == [("start", 50), ("limit", -30)]
    assert [(a.name, a.contribution) for a in worst.adjustments] == [("start", 50), ("limit", 80)]


@pytest.mark.parametrize(
    ("companies", "group"), [((10, 5, 5, 5), 6), ((0, 5, 5, 5), 4)], ids=["6.25", "3.75"]
)
def test_planhat_groups_6_25_is_6_and_3_75_is_4(companies: tuple[float, ...], group: float) -> None:
    assert combine(Combinator("Group", "mean", (1.0,) * 4, digits=0), companies).value == group


def test_vitally_10_10_0_averages_6_67() -> None:
    verdict = score(model("vitally").plan, {"usage.frequency": 4, "usage.breadth": 0.6, "usage.silence": 14})
    assert own(verdict) == 6.67
    assert label(verdict) == "Healthy"


def test_vitally_leaves_nulls_out() -> None:
    assert own(score(model("vitally").plan, {"usage.frequency": 4, "support.open": 5})) == round(25 / 3, 2)


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ({}, round((2 * 10 + 1 * 5) / 3, 2)),
        ({"segment": "enterprise"}, (1 * 10 + 3 * 5) / 4),
        ({"stage": "onboarding"}, 10),
        ({"segment": "enterprise", "stage": "onboarding"}, 10),
    ],
    ids=["neither", "enterprise", "onboarding", "both: the declared priority decides"],
)
def test_vitally_weights_by_segment(profile: dict[str, str], expected: float) -> None:
    state = State(tenant="acme", account_id="a")
    state.profile = {name: (stamp(1, name), value) for name, value in profile.items()}
    plan = model("vitally").for_account(View(state, NOW))
    assert own(score(plan, {"usage.frequency": 4, "support.open": 5})) == expected


def test_hubspot_a_group_counts_at_most_its_maximum_and_the_maxima_sum_to_100() -> None:
    plan = model("hubspot").plan
    assert sum(group.combinator.high or 0 for group in plan.groups) == 100
    best = {"usage.frequency": 7.0, "usage.depth": 9.0, "support.open": 0.0, "support.reopened": 0.0}
    verdict = score(plan, best | {"billing.payment": 0, "engagement.champion_left": 0})
    assert own(verdict) == 100
    limits = {a.name: a.contribution for a in verdict.adjustments}
    assert limits == {"product.limit": -5, "support.limit": -10}


def test_hubspot_a_group_counts_at_least_0() -> None:
    verdict = score(model("hubspot").plan, {"billing.payment": 3})
    assert own(verdict) == 0
    assert [(a.name, a.contribution) for a in verdict.adjustments] == [("money.limit", 20)]


@pytest.mark.parametrize(
    ("days", "points"), [(0, -40), (30, -20), (60, -10), (89, -40 * 0.5 ** (89 / 30)), (90, 0)]
)
def test_hubspot_decay_and_timeframe_at_once(days: int, points: float) -> None:
    left = MeasureValue(1, "The champion left", as_of=NOW - days * DAY)
    verdict = score(
        model("hubspot").plan, {"usage.frequency": 7, "usage.depth": 9, "engagement.champion_left": left}
    )
    contributions = {measure.name: measure.contribution for measure in verdict.measures}
    assert contributions["engagement.champion_left"] == round(points, 2)


def test_custify_a_clustered_score_of_20_30_50_percent() -> None:
    verdict = score(model("custify").plan, {"usage.frequency": 2.5, "usage.breadth": 0.8, "usage.depth": 4})
    assert own(verdict) == (50 * 20 + 80 * 30 + 40 * 50) / 100 == 54


def test_custify_impacts_none_low_medium_high() -> None:
    verdict = score(
        model("custify").plan,
        {"usage.frequency": 5, "support.open": 24, "billing.overdue": 15, "billing.commitment": 1,
         "billing.renewal": 0},
    )  # fmt: skip
    assert own(verdict) == half_up((3 * 100 + 2 * 0 + 1 * 50 + 3 * 100) / 9, 0)
    assert "billing.renewal" in {term.name for term in verdict.plan.informs}


RED, YELLOW, GREEN = 0, 50, 100
GITLAB = {
    0.05: (RED, RED, RED),
    0.3: (YELLOW, RED, RED),
    0.6: (GREEN, YELLOW, RED),
    0.9: (GREEN, GREEN, GREEN),
}
MONTHS = {4: 0, 7: 1, 12: 2}


@pytest.mark.parametrize("months", MONTHS)
@pytest.mark.parametrize("used", GITLAB)
def test_gitlab_license_use_by_tenure(used: float, months: int) -> None:
    verdict = score(model("gitlab").plan, {"usage.breadth": used, "account.tenure": months * 30.4})
    assert scores(verdict)["license_use"] == GITLAB[used][MONTHS[months]]


@pytest.mark.parametrize(
    ("used", "row"),
    [(0.0999, 0.05), (0.10, 0.3), (0.1001, 0.3), (0.4999, 0.3), (0.50, 0.3), (0.5001, 0.6), (0.7499, 0.6),
     (0.75, 0.6), (0.7501, 0.9)],
)  # fmt: skip
def test_gitlab_every_edge_of_license_use(used: float, row: float) -> None:
    verdict = score(model("gitlab").plan, {"usage.breadth": used, "account.tenure": 100})
    assert scores(verdict)["license_use"] == GITLAB[row][0]


@pytest.mark.parametrize(
    ("days", "column"), [(61, 0), (181, 0), (182, 1), (183, 1), (273, 1), (274, 1), (275, 2)]
)
def test_gitlab_every_edge_of_tenure(days: int, column: int) -> None:
    verdict = score(model("gitlab").plan, {"usage.breadth": 0.6, "account.tenure": days})
    assert scores(verdict)["license_use"] == GITLAB[0.6][column]


def test_gitlab_a_contract_younger_than_two_months_is_not_scored() -> None:
    verdict = score(model("gitlab").plan, {"usage.breadth": 0.9, "account.tenure": 60})
    assert scores(verdict)["license_use"] is None
    assert verdict.coverage == 0.5


@pytest.mark.parametrize(
    ("active", "colour"), [(0.4999, RED), (0.5, YELLOW), (0.7999, YELLOW), (0.8, GREEN), (0.8001, GREEN)]
)
def test_gitlab_user_engagement_below_50_red_below_80_yellow(active: float, colour: int) -> None:
    verdict = score(model("gitlab").plan, {"usage.breadth": active})
    assert scores(verdict)["user_engagement"] == colour


@pytest.mark.parametrize(("minutes", "expected"), [(5, 0), (7, 0), (18, 48), (30, 100), (35, 100)])
def test_natero_a_ramp_from_7_to_30(minutes: float, expected: float) -> None:
    verdict = score(model("natero").plan, {"usage.depth": minutes})
    assert scores(verdict)["usage.depth"] == expected


@pytest.mark.parametrize(("minutes", "expected"), [(5, 100), (7, 100), (18, 52), (30, 0), (35, 0)])
def test_natero_an_inverted_ramp_from_7_to_30(minutes: float, expected: float) -> None:
    verdict = score(model("natero").plan, {"usage.silence": minutes})
    assert scores(verdict)["usage.silence"] == expected


NATERO = {
    "usage.drop": 0.83,
    "usage.frequency": 0.76 * 7,
    "usage.breadth": 0.65,
    "usage.depth": 7 + 0.81 * 23,
    "usage.silence": 30 - 0.65 * 23,
    "support.open": 24 - 0.90 * 24,
    "billing.overdue": 30 - 0.54 * 30,
}


def natero(*names: str) -> float:
    """The score of these measures alone, over the weights of their component alone."""
    text = (MODELS / "natero.yaml").read_text()
    plan = load_model(text.replace("score: {round: 0}", "score: {round: 0, missing: ignore}")).plan
    return own(score(plan, {name: NATERO[name] for name in names}))


def test_natero_70_5_is_71() -> None:
    assert natero("usage.frequency", "usage.breadth") == 71


def test_natero_weights_of_33_percent_give_78_where_thirds_give_79() -> None:
    assert natero("usage.depth", "usage.silence", "support.open") == 78
    thirds = Combinator("Product", "mean", (1.0, 1.0, 1.0), digits=0)
    assert combine(thirds, (81, 65, 90)).value == 79


def test_natero_account_74_87_is_75() -> None:
    verdict = score(model("natero").plan, NATERO)
    assert list(scores(verdict).values()) == [83, 76, 65, 81, 65, 90, 54]
    assert own(verdict) == 75
    assert label(verdict) == "Green"
    assert pytest.approx(74.87, abs=0.005) == 83 * 7 / 23 + 71 * 5 / 23 + 78 * 8 / 23 + 54 * 3 / 23


def test_natero_the_newer_example_75_1_is_75() -> None:
    combinator = Combinator("Account", "mean", (2.0, 3.0, 3.0, 2.0), digits=0)
    assert combine(combinator, (80, 71, 90, 54)).value == 75


@pytest.mark.parametrize(("points", "colour"), [(30, "Red"), (31, "Yellow"), (70, "Yellow"), (71, "Green")])
def test_natero_green_is_at_or_over_71(points: int, colour: str) -> None:
    bands = model("natero").plan.bands
    assert bands.label(bands.of(points * 100)) == colour


@pytest.mark.parametrize("name", FILES)
def test_every_example_adds_up(name: str) -> None:
    plan = model(name).plan
    for value in (0.0, 0.4, 1.0, 3.0, 8.0, 40.0):
        verdict = score(plan, {read.name: value for read in plan.reads})
        parts = [*verdict.measures, *verdict.adjustments, *verdict.caps]
        assert sum(round(part.contribution * 100) for part in parts) == verdict.score
        assert 0 <= verdict.score <= 10_000
