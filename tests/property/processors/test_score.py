"""Scores: missing data never helps, everything adds up, hysteresis holds."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from processors.measures import MeasureValue
from processors.model import DEFAULT, Bands, Plan, load_model
from processors.scoring.score import BandState, Verdict, settle, weigh
from processors.state.account import State
from processors.view import View
from schemas.records import BAND_ORDER
from tests.support.generators import NOW

PLAN = DEFAULT.plan
MEAN = load_model((Path(__file__).parents[2] / "data" / "golden" / "default_model.v2.yaml").read_text())
VIEW = View(State(tenant="acme", account_id="a"), NOW)
HOUR = 3_600_000

values = st.none() | st.just(float("nan")) | st.floats(0, 400, allow_nan=False)
ages = st.none() | st.integers(0, 200 * 24).map(lambda hours: NOW - hours * HOUR)
facts = st.lists(
    st.builds(MeasureValue, values, st.just("said"), ages, st.none()),
    min_size=len(PLAN.reads),
    max_size=len(PLAN.reads),
)
bands = st.sampled_from(("unknown", *BAND_ORDER))


def rank(band: str) -> int:
    """Order bands; unknown is no better than any known one."""
    return BAND_ORDER.index(band) if band in BAND_ORDER else -1


def verdict(plan: Plan = PLAN, score: int = 0, **fields: Any) -> Verdict:
    """A verdict of which only what is given matters."""
    parts: dict[str, Any] = {"coverage": 1.0, "judged": True, "due": None}
    parts |= dict.fromkeys(("measures", "adjustments", "caps", "reasons"), ())
    return Verdict(plan=plan, score=score, **(parts | fields))


@given(facts, bands, st.sets(st.integers(0, len(PLAN.reads) - 1)))
def test_removing_an_input_lowers_the_coverage_and_never_improves_the_band(
    known: list[MeasureValue], before: str, gone: set[int]
) -> None:
    fewer = [MeasureValue(None, "gone") if i in gone else fact for i, fact in enumerate(known)]
    full, less = weigh(PLAN, known, VIEW), weigh(PLAN, fewer, VIEW)
    assert less.coverage <= full.coverage
    state = State(band=before)
    assert rank(settle(less, state, NOW).band) <= rank(settle(full, state, NOW).band)


@given(st.data(), bands)
def test_in_a_weighted_mean_removing_an_input_never_improves_the_score_either(
    data: st.DataObject, before: str
) -> None:
    plan = MEAN.plan
    known = [data.draw(st.builds(MeasureValue, values, st.just("said"), ages, st.none())) for _ in plan.reads]
    gone = data.draw(st.sets(st.integers(0, len(plan.reads) - 1)))
    fewer = [MeasureValue(None, "gone") if i in gone else fact for i, fact in enumerate(known)]
    full, less = weigh(plan, known, VIEW), weigh(plan, fewer, VIEW)
    assert less.score <= full.score
    assert less.coverage <= full.coverage
    state = State(band=before)
    assert rank(settle(less, state, NOW).band) <= rank(settle(full, state, NOW).band)


def parts(of: Verdict) -> dict[str, int]:
    """Every contribution in hundredths of a point, by name."""
    found = [("measure", of.measures), ("adjustment", of.adjustments), ("cap", of.caps)]
    return {f"{kind} {p.name}": round(p.contribution * 100) for kind, group in found for p in group}


@given(facts)
def test_a_verdict_adds_up(known: list[MeasureValue]) -> None:
    weighed = weigh(PLAN, known, VIEW)
    assert sum(parts(weighed).values()) == weighed.score
    assert 0 <= weighed.score <= 10_000
    assert all(weighed.score <= cap.limit * 100 for cap in weighed.caps)


@given(facts, facts)
def test_a_change_of_the_score_is_the_sum_of_its_parts_changes(
    one: list[MeasureValue], other: list[MeasureValue]
) -> None:
    before, after = weigh(PLAN, one, VIEW), weigh(PLAN, other, VIEW)
    was, now = parts(before), parts(after)
    assert after.score - before.score == sum(now.get(k, 0) - was.get(k, 0) for k in was | now)


@given(st.lists(st.integers(4501, 5499), min_size=1, max_size=50))
def test_swinging_about_an_edge_changes_the_band_at_most_once(scores: list[int]) -> None:
    band, seen = "watch", ["watch"]
    for score in scores:
        band = settle(verdict(score=score), State(band=band), NOW).band
        seen.append(band)
    assert sum(a != b for a, b in pairwise(seen)) <= 1


@given(bands, st.integers(0, 10_000))
def test_settling_twice_changes_nothing(before: str, score: int) -> None:
    once = settle(verdict(score=score), State(band=before), NOW)
    again = settle(verdict(score=score), State(band=once.band, band_since=once.since), NOW + 1)
    assert again == once


NAMES = ("critical", "healthy")


@given(st.lists(st.tuples(st.integers(1, 48), st.integers(0, 10_000)), max_size=40))
def test_a_band_that_must_wait_is_entered_when_it_was_due_all_the_while(
    steps: list[tuple[int, int]],
) -> None:
    waiting = Bands(NAMES, NAMES, ("", ""), (5000,), 0, better_for=24 * HOUR, worse_for=6 * HOUR)
    plan = replace(PLAN, bands=waiting)
    now, state = NOW, State(band="critical", band_since=NOW)
    due_since: int | None = None
    for hours, score in steps:
        now += hours * HOUR
        plain = waiting.of(score)
        due_since = None if plain == state.band else due_since or now
        standing = settle(verdict(plan, score=score), state, now)
        wait = waiting.better_for if plain == "healthy" else waiting.worse_for
        entered = due_since is not None and now - due_since >= wait
        assert standing.band == (plain if entered else state.band)
        if due_since is not None and not entered:
            assert standing.due == due_since + wait
        state = moved(standing)
        due_since = None if entered else due_since


def moved(standing: BandState) -> State:
    return State(
        band=standing.band,
        band_since=standing.since,
        pending_band=standing.pending,
        pending_since=standing.pending_since,
    )


@given(st.floats(-1e9, 1e9))
def test_curves_stay_between_their_ends(value: float) -> None:
    for term in PLAN.terms:
        assert term.curve is not None
        assert term.curve.low <= term.curve.score(value) <= term.curve.high
