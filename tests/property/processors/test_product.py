"""A product of families: it adds up exactly, and missing data never improves a band."""

from __future__ import annotations

import json
from math import isclose
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.measures import MEASURES, MeasureValue
from processors.model import Model, check_model
from processors.model.plan.product import product
from processors.scoring.score import settle, weigh
from processors.state.account import State
from processors.view import View
from schemas.records import BAND_ORDER
from tests.property.processors.test_score import parts, rank
from tests.support.generators import NOW

VIEW = View(State(tenant="acme", account_id="a"), NOW)
shares = st.floats(0, 1, allow_nan=False)
CURVE = {"points": [[0, 0], [100, 100]]}


@given(st.lists(st.tuples(shares, shares), max_size=8))
def test_the_shares_of_what_is_taken_sum_to_one(members: list[tuple[float, float]]) -> None:
    weights, badness = [w for w, _ in members], [bad for _, bad in members]
    left, taken = product(weights, badness)
    assert 0 <= left <= 1
    assert isclose(sum(taken), 1) or (left == 1 and not any(taken))
    for weight, bad, share in zip(weights, badness, taken, strict=True):
        assert share >= 0
        assert left <= 1 - weight * bad + 1e-12
        assert share == 0 or weight * bad > 0


@st.composite
def models(draw: st.DrawFn) -> Model:
    """A model whose score is a product of loose measures and of groups of every kind."""
    names = draw(st.lists(st.sampled_from(sorted(MEASURES)), min_size=1, max_size=6, unique=True))
    groups: dict[str, Any] = {}
    measures: dict[str, Any] = {}
    for name in names:
        group = draw(st.sampled_from((None, "a", "b")))
        measures[name] = {"curve": CURVE, "weight": draw(st.floats(0.01, 1))}
        if group is not None:
            measures[name]["group"] = group
            groups[group] = {
                "weight": draw(st.floats(0.01, 1)),
                "combine": draw(st.sampled_from(("worst", "mean", "product"))),
            }
    edges = sorted(draw(st.lists(st.integers(1, 99), min_size=3, max_size=3, unique=True)))
    bands = [{"band": band, "below": edge} for band, edge in zip(BAND_ORDER, edges, strict=False)]
    file = {
        "model": "m", "version": 1, "score": {"combine": "product"}, "groups": groups, "measures": measures,
        "bands": [*bands, {"band": "healthy"}], "hysteresis": {"margin": draw(st.integers(0, 10))},
        "min_coverage": draw(st.sampled_from((0, 0.5))),
    }  # fmt: skip
    checked = check_model(json.dumps(file))
    assert checked.model is not None, checked.faults
    return checked.model


@st.composite
def known(draw: st.DrawFn, model: Model) -> list[MeasureValue]:
    values = st.none() | st.floats(-20, 120)
    return [MeasureValue(draw(values), read.name) for read in model.plan.reads]


@settings(max_examples=60)
@given(st.data())
def test_contributions_sum_to_the_score(data: st.DataObject) -> None:
    model = data.draw(models())
    verdict = weigh(model.plan, data.draw(known(model)), VIEW)
    assert sum(parts(verdict).values()) == verdict.score
    assert 0 <= verdict.score <= 10_000


@settings(max_examples=100)
@given(st.data())
def test_removing_an_input_lowers_the_coverage_and_never_improves_the_band(data: st.DataObject) -> None:
    model = data.draw(models())
    facts = data.draw(known(model))
    gone = data.draw(st.sets(st.integers(0, len(facts) - 1)))
    fewer = [MeasureValue(None, "gone") if place in gone else fact for place, fact in enumerate(facts)]
    full, less = weigh(model.plan, facts, VIEW), weigh(model.plan, fewer, VIEW)
    assert less.coverage <= full.coverage
    state = State(band=data.draw(st.sampled_from(("unknown", *BAND_ORDER))))
    assert rank(settle(less, state, NOW).band) <= rank(settle(full, state, NOW).band)


@settings(max_examples=60)
@given(st.data())
def test_a_worse_sign_never_raises_the_score(data: st.DataObject) -> None:
    model = data.draw(models())
    facts = data.draw(known(model))
    place = data.draw(st.integers(0, len(facts) - 1))
    if facts[place].value is None:
        return
    worse = list(facts)
    worse[place] = MeasureValue(facts[place].value - data.draw(st.floats(0, 50)), "worse")  # type: ignore[operator]
    assert weigh(model.plan, worse, VIEW).score <= weigh(model.plan, facts, VIEW).score


def test_a_missing_input_does_not_lift_a_band_over_its_margin() -> None:
    """Of an account just above the edge only what is known for certain can lift it."""
    file = {
        "model": "m", "version": 1, "score": {"combine": "product"},
        "measures": {name: {"curve": CURVE, "weight": weight}
                     for name, weight in (("usage.trend", 0.6), ("usage.gap", 0.1))},
        "bands": [{"band": "at_risk", "below": 45}, {"band": "healthy"}], "hysteresis": {"margin": 5},
        "min_coverage": 0,
    }  # fmt: skip
    plan = check_model(json.dumps(file)).model
    assert plan is not None
    full, less = (
        weigh(plan.plan, [MeasureValue(20, "trend"), MeasureValue(gap, "gap")], VIEW) for gap in (0, None)
    )
    before = State(band="at_risk")
    assert (full.score, less.score) == (4680, 5200)
    assert settle(full, before, NOW).band == settle(less, before, NOW).band == "at_risk"
