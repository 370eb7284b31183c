"""Backtests: labels and metrics by hand, and a leak of the future that must be found."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from bellbuoy.backtest.alert_figures import by_rule, fault_figures
from bellbuoy.backtest.cause_figures import by_cause
from bellbuoy.backtest.evaluate import HEADLINES, evaluate
from bellbuoy.backtest.fold import AlertSpan, Published, fold_days
from bellbuoy.backtest.html import html_page
from bellbuoy.backtest.labels import Labels, Times
from bellbuoy.backtest.metrics import auc, interval, precision_recall
from bellbuoy.backtest.observations import Observations
from bellbuoy.backtest.reliability import measure_reliability
from bellbuoy.backtest.report import as_data, markdown_tables, text_lines
from bellbuoy.backtest.run import LeakError, check_no_future, run_backtest, run_backtests
from bellbuoy.errors import ConfigError
from bellbuoy.simulator.worlds.company import CompanyWorld
from bellbuoy.simulator.worlds.fates import Fate
from bellbuoy.simulator.worlds.world import load_world
from processors.model import DEFAULT, default_text, load_model
from processors.rules import load_rules
from schemas.times import DAY

ACCOUNTS, DAYS = 24, 112


def fold(days: int) -> Published:
    world = load_world("saas", seed=3, accounts=ACCOUNTS, days=days)
    *_, (published, _) = fold_days(world, DEFAULT)
    return published


@pytest.fixture(scope="module")
def published() -> Published:
    return fold(DAYS)


def fate(**fields: object) -> Fate:
    basics = {
        "tenant": "t", "account_id": "a", "segment": "mid", "cause": None, "onset": None, "notice_at": None,
        "churned_at": None, "saved_at": None, "arr_minor": 0, "involuntary": False,
    }  # fmt: skip
    return Fate(**(basics | fields))  # type: ignore[arg-type]


def test_auc_is_the_share_of_pairs_in_the_right_order_and_ties_count_half() -> None:
    positive = np.array([True, True, False, False])
    assert auc(np.array([3.0, 2.0, 1.0, 0.0]), positive) == 1
    assert auc(np.array([3.0, 1.0, 2.0, 0.0]), positive) == 0.75
    assert auc(np.array([1.0, 1.0, 1.0, 1.0]), positive) == 0.5
    assert np.isnan(auc(np.array([1.0]), np.array([True])))


def test_precision_and_recall_share_out_ties_at_the_edge() -> None:
    risk, positive = np.array([5.0, 1.0, 1.0, 1.0]), np.array([True, True, False, False])
    assert precision_recall(risk, positive, 0.25) == (1.0, 0.5)
    assert precision_recall(risk, positive, 0.5) == (pytest.approx(2 / 3), pytest.approx(2 / 3))


def test_an_interval_draws_whole_accounts() -> None:
    values, groups = np.array([0.0] * 50 + [1.0] * 50), np.array([0] * 50 + [1] * 50)
    low, high = interval(lambda rows: float(values[rows].mean()), groups)
    assert (low, high) == (0.0, 1.0)  # two accounts say nothing sure, however often they were observed


def test_labels_follow_a_fate() -> None:
    """
    One churner: the cause begins on day 100, notice comes on day 140, the end on day 150.

    day       90      120        145           151
    open      yes     yes        no: notice    no: gone
    trouble   no      yes
    churns            within 30
    """
    times = Times([fate(cause="decay", onset=100 * DAY, notice_at=140 * DAY, churned_at=150 * DAY)])
    at = np.array([90, 120, 145, 151]) * DAY
    labels = Labels(times, np.zeros(4, np.int64), at)
    assert labels.open.tolist() == [True, True, False, False]
    assert labels.in_trouble(14).tolist() == [False, True, True, False]
    assert labels.churns_within(30).tolist() == [False, True, True, False]
    assert labels.calm().tolist() == [True, False, False, False]


def test_a_saved_account_is_in_trouble_no_longer() -> None:
    times = Times([fate(cause="decay", onset=100 * DAY, saved_at=130 * DAY)])
    labels = Labels(times, np.zeros(2, np.int64), np.array([120, 140]) * DAY)
    assert labels.in_trouble(14).tolist() == [True, False]


def test_nothing_published_depends_on_later_days(published: Published) -> None:
    check_no_future(published, fold(DAYS - 20))


def test_a_canary_that_sees_the_future_is_found(published: Published) -> None:
    canary = copy.copy(published)
    canary.scores = np.roll(published.scores, -7, axis=0)
    with pytest.raises(LeakError, match="depends on later days"):
        check_no_future(canary, fold(DAYS - 20))


def test_a_perfect_ranking_would_be_measured_as_one(published: Published) -> None:
    world = load_world("saas", seed=3, accounts=ACCOUNTS, days=DAYS)
    leaves = Times(world.fates).leaves
    perfect = copy.copy(published)
    days = world.start + np.arange(DAYS)[:, None] * DAY
    perfect.scores = np.clip((leaves[None, :] - days) / DAY, 0, 1000) / 10
    figures = {figure.name: figure.value for figure in evaluate(perfect, world.fates, world.start)}
    assert figures["AUC, churn within 30 days"] > 0.99 or np.isnan(figures["AUC, churn within 30 days"])


def test_a_run_has_figures_intervals_and_baselines() -> None:
    world = load_world("saas", seed=3, accounts=ACCOUNTS, days=DAYS)
    folded: list[int] = []
    run = run_backtest(world, DEFAULT, folded.append)
    assert folded[-1] == DAYS
    assert "days without usage" in run.by_baseline
    assert any("AUC" in line for line in text_lines(run))
    assert next(markdown_tables([run, run])).count("saas, seed 3") == 2
    assert as_data([run])[0]["accounts"] == ACCOUNTS
    page = html_page([run])
    for shown in (
        "Do the bands mean something?",
        "critical",
        "<svg",
        "Which alerts come true?",
        run.figures[0].name,
    ):
        assert shown in page


def test_alerts_are_those_of_the_rules_that_are_given() -> None:
    rules = load_rules(
        "ruleset: mine\nversion: 9\n"
        "rules: {silent: {title: Silent, severity: notice, when: usage.silence >= 2.0}}"
    )
    world = load_world("saas", seed=3, accounts=8, days=DAYS)
    [run] = run_backtests([world], DEFAULT, rules=rules)
    assert run.rules == f"mine {rules.version}"
    assert set(run.by_rule) == {"silent"}
    assert run.rules in next(iter(text_lines(run)))


def test_alerts_are_measured_from_the_onset_over_their_end_to_their_return() -> None:
    """Of three accounts in trouble since day 90 one is told on day 100, one on day 110, one never."""
    days = 200
    fates = tuple(
        fate(cause="decay", onset=90 * DAY, churned_at=180 * DAY, arr_minor=arr) for arr in (1, 1, 8)
    )
    shape = (days, 3)
    published = Published(
        (("t", "a"),) * 3, np.full(shape, 50.0), np.full(shape, 1, np.int8), [[()] * 3] * days
    )
    published.scores[:, 2] = 10.0
    published.alerts = [
        AlertSpan(0, "people", "warning", 100, 120), AlertSpan(0, "people", "warning", 140, None),
        AlertSpan(1, "people", "warning", 86, 88), AlertSpan(1, "people", "warning", 110, None),
    ]  # fmt: skip
    figures = {figure.name: figure for figure in evaluate(published, fates, 0)}
    assert figures["days from the onset to an alert, half of the causes"].value == 20
    assert figures["causes at work for 44 days without an alert"].value == pytest.approx(1 / 3)
    again = figures["alerts that opened again within 30 days of their end"]
    assert (again.value, again.count) == (1.0, 2)
    assert figures["churn within 90 days of those called at_risk"].value == pytest.approx(13 / 14)
    assert figures["its ARR found in the riskiest 20%"].value > 0.4
    told = by_rule(published, Observations(published, fates, 0), 0)["people"]
    assert (told.value, told.count) == (0.75, 4)  # the one of day 86 came before the trouble


def test_seeds_of_a_world_are_one_run_with_the_accounts_of_all() -> None:
    worlds = [load_world("saas", seed=seed, accounts=ACCOUNTS, days=DAYS) for seed in (3, 4)]
    run, *others = run_backtests(worlds, DEFAULT)
    assert not others
    assert (run.seeds, run.accounts) == ((3, 4), 2 * ACCOUNTS)
    alone = [run_backtest(world, DEFAULT) for world in worlds]
    assert run.churners == sum(one.churners for one in alone)
    for place, figure in enumerate(run.figures[:-3]):  # the last three count alerts of dead feeds
        values = [one.figures[place].value for one in alone]
        assert figure.by_seed == pytest.approx(values, nan_ok=True)
        if figure.name.startswith("calm accounts"):
            assert min(values) - 1e-9 <= figure.value <= max(values) + 1e-9
    assert "saas, seeds 3, 4" in next(text_lines(run))


def test_every_segment_has_the_figures_by_which_a_model_is_judged() -> None:
    run = run_backtest(load_world("saas", seed=3, accounts=ACCOUNTS, days=DAYS), DEFAULT)
    assert set(run.by_segment) == {"enterprise", "mid", "self-serve"}
    everybody = {figure.name: figure.count for figure in run.figures}
    assert set(HEADLINES) <= set(everybody)
    for name in HEADLINES:
        parts = [
            figure.count for figures in run.by_segment.values() for figure in figures if figure.name == name
        ]
        assert sum(parts) == everybody[name]


def test_who_has_lost_nothing_has_no_cause(published: Published) -> None:
    well = published.scores > 99
    assert well.any()
    for day, place in np.argwhere(well).tolist():
        assert published.causes[day][place] == ()
    assert any(names for names in published.causes[-1])


def test_a_cause_is_named_by_its_own_measures_and_what_comes_first_instead_is_told() -> None:
    days, fates = 200, (fate(cause="decay", onset=90 * DAY), fate(cause="tickets", onset=90 * DAY))
    shape = (days, 2)
    causes = [[("usage.year",), ("surveys.detractors", "usage.week")]] * days
    published = Published((("t", "a"),) * 2, np.full(shape, 50.0), np.full(shape, 1, np.int8), causes)
    found = by_cause(published, Observations(published, fates, 0), fates)
    assert (found["decay"].named.value, found["decay"].instead) == (1.0, ())
    assert (found["tickets"].named.value, found["tickets"].instead) == (0.0, (("surveys.detractors", 1.0),))


def test_the_company_of_the_demo_is_a_world_whose_states_are_known() -> None:
    world = CompanyWorld(seed=2, accounts=20, days=100)
    days = list(world.days_of_events())
    assert [day.number for day in days] == list(range(100))
    assert sum(cell.events for day in days for cell in day.cells) > 1_000
    troubled = [one for one in world.fates if one.cause is not None]
    left = [one for one in world.fates if one.churned_at is not None]
    assert troubled
    assert left
    assert all(one.notice_at is None or one.notice_at < (one.churned_at or 0) for one in left)
    again = CompanyWorld(seed=2, accounts=20, days=100)
    assert (again.fates, next(again.days_of_events())) == (world.fates, days[0])


def test_a_world_too_short_to_judge_is_refused() -> None:
    with pytest.raises(ConfigError, match="more than 84 days"):
        run_backtest(load_world("saas", seed=3, accounts=2, days=20), DEFAULT)


def test_reliability_compares_what_was_said_with_what_happened() -> None:
    said = np.array([0.01] * 50 + [0.15] * 20)
    left = np.array([False] * 50 + [True] * 4 + [False] * 16)
    found = measure_reliability(said, left, np.arange(70))
    assert found is not None
    assert [(row.count, row.observed) for row in found.rows] == [(50, 0.0), (20, 0.2)]
    assert found.brier == pytest.approx((50 * 0.01**2 + 16 * 0.15**2 + 4 * 0.85**2) / 70)
    assert found.brier_of_rate == pytest.approx(4 / 70 * 66 / 70)
    assert 0 < found.skill < 1
    assert measure_reliability(said[:0], left[:0], np.arange(0)) is None


def test_a_run_of_a_calibrated_model_says_how_far_its_probabilities_come_true() -> None:
    model = load_model(default_text() + "churn_probability: [[0, 0.6], [60, 0.2], [100, 0.05]]\n")
    world = load_world("saas", seed=3, accounts=12, days=190)
    run = run_backtest(world, model)
    assert run.reliability is not None
    assert sum(row.count for row in run.reliability.rows) > 0
    assert any("Brier score" in line for line in text_lines(run))
    assert any("Brier score" in line for line in markdown_tables([run]))
    assert "Does the probability come true?" in html_page([run])
    assert as_data([run])[0]["reliability"]["rows"]


def test_an_alert_that_a_dead_feed_alone_opened_has_no_like_in_the_world_without_it() -> None:
    def spans(score: float, *alerts: AlertSpan) -> Published:
        scores = np.full((60, 2), [40.0, score])
        return Published((("t", "a"), ("t", "b")), scores, np.full((60, 2), -1), alerts=list(alerts))

    sound = spans(60, AlertSpan(0, "decline", "warning", 20, 30), AlertSpan(1, "quiet", "warning", 3, 9))
    dead = spans(
        40,
        AlertSpan(0, "people", "warning", 44),  # one at a time of these rules is open
        AlertSpan(0, "health", "warning", 45),
        AlertSpan(0, "errors", "warning", 5),
        AlertSpan(0, "payment", "warning", 25),
        AlertSpan(1, "decline", "warning", 25),
    )
    only, worse, missing = fault_figures(dead, sound)
    assert (only.value, only.count) == (4, 5)
    assert worse.value == 2  # payment, and the account whose score fell by 20
    assert (missing.value, missing.count) == (1, 2)
    assert all(np.isnan(figure.value) for figure in fault_figures(dead, None))
    faulty = load_world("feeds", seed=1, accounts=2, days=100)
    whole = faulty.without_faults()
    assert whole is not None
    assert whole.without_faults() is None
    assert whole.fates == faulty.fates
