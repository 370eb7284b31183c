"""Models of every shape: contributions add up, and missing data helps only where the check warns of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from processors.measures import MEASURES, MeasureValue
from processors.model import Checked, Model, check_model, default_text, load_model
from processors.scoring.score import settle, weigh
from processors.state.account import State
from processors.view import View
from schemas.records import BAND_ORDER
from schemas.times import DAY
from tests.property.processors.test_score import parts, rank
from tests.support.generators import NOW

FILES = (Path(__file__).parents[3] / "docs" / "models").glob("*.yaml")
DAMAGE = ("", "[", "{", ": ", "- ", "\n", "*a ", "!x ", '"', "null", "-1", "é", "\0")
TEXTS = (default_text(), *(path.read_text() for path in sorted(FILES)))
VIEW = View(State(tenant="acme", account_id="a"), NOW)

names = st.sampled_from(sorted(MEASURES))
whole = st.integers(0, 100)


def rising(size: int) -> st.SearchStrategy[list[int]]:
    return st.lists(whole, min_size=size, max_size=size, unique=True).map(sorted)


@st.composite
def curves(draw: st.DrawFn) -> dict[str, Any]:
    """A curve of any kind, with scores that may fall below 0."""
    size = draw(st.integers(1, 4))
    scores = draw(
        st.lists(st.integers(draw(st.sampled_from((0, 0, -50))), 100), min_size=size, max_size=size)
    )
    ends = draw(rising(size - 1))
    kind = draw(st.sampled_from(("points", "steps", "grid")))
    edges = [{draw(st.sampled_from(("below", "up_to"))): end} for end in ends] + [{}]
    if kind == "points":
        points = [list(pair) for pair in zip(draw(rising(size)), scores, strict=True)]
        outside = draw(st.none() | whole)
        return {"points": points} | ({} if outside is None else {"outside": outside})
    if kind == "steps":
        return {"steps": [edge | {"score": score} for edge, score in zip(edges, scores, strict=True)]}
    rows = [edge | {"scores": [s, draw(st.none() | whole)]} for edge, s in zip(edges, scores, strict=True)]
    return {"grid": {"by": draw(names), "columns": [{"below": draw(whole)}, {}], "rows": rows}}


@st.composite
def combiners(draw: st.DrawFn) -> dict[str, Any]:
    """How members combine."""
    kind = draw(st.sampled_from(("mean", "mean", "sum", "worst")))
    options = {"missing": st.sampled_from(("zero", "zero", "ignore")), "round": st.integers(0, 2)}
    spec: dict[str, Any] = draw(st.fixed_dictionaries({}, optional=options))
    if kind == "sum":
        spec |= draw(st.fixed_dictionaries({}, optional={"start": whole, "max": st.integers(1, 100)}))
        spec["min"] = draw(st.sampled_from((-20, 0)))
    return spec | {"combine": kind}


@st.composite
def measures(draw: st.DrawFn, groups: list[str]) -> dict[str, Any]:
    """One measure with any options."""
    spec = {"curve": draw(curves()), "weight": draw(st.integers(1, 9))}
    options = {
        "group": st.sampled_from(groups) if groups else st.nothing(),
        "round": st.integers(0, 1),
        "if_unknown": st.integers(-50, 100),
        "stale_after": st.just("7d"),
        "forget_after": st.just("30d"),
        "fade": st.fixed_dictionaries({"half_life": st.just("9d"), "toward": whole}),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(options)), max_size=2))
    return spec | {name: draw(options[name]) for name in chosen if groups or name != "group"}


@st.composite
def models(draw: st.DrawFn) -> Checked:
    """A sound model of any shape."""
    groups = draw(st.lists(st.sampled_from(("one", "two")), unique=True))
    data: dict[str, Any] = {"model": "drawn", "version": 1, "min_coverage": draw(st.sampled_from((0, 0.5)))}
    data["measures"] = {name: draw(measures(groups)) for name in draw(st.sets(names, min_size=1, max_size=5))}
    used = {spec.get("group") for spec in data["measures"].values()}
    data["groups"] = {group: draw(combiners()) for group in groups if group in used}
    data["score"] = draw(combiners())
    tests = st.fixed_dictionaries({"measure": names, "limit": whole, "at_least": whole})
    lasting = tests.map(lambda cap: cap | {"lasts": "20d"})
    lifting = tests.map(lambda cap: cap | {"if_unknown": "lift"})
    data["caps"] = draw(st.dictionaries(st.sampled_from("ab"), tests | tests | lasting | lifting))
    edges = draw(rising(3))
    bands = [{"band": band, "below": edge} for band, edge in zip(BAND_ORDER, edges, strict=False)]
    data["bands"] = [*bands, {"band": "healthy"}]
    data["hysteresis"] = {"margin": draw(st.integers(0, 10))}
    checked = check_model(json.dumps(data))
    if checked.faults:  # it reaches beyond the scale
        data["score"] |= {"min": 0, "max": 100}
        checked = check_model(json.dumps(data))
    return checked


def drawn(checked: Checked) -> Model:
    assert checked.model is not None, checked.faults
    return checked.model


values = st.none() | st.integers(0, 100).map(float) | st.floats(0, 120)
ages = st.none() | st.integers(0, 60).map(lambda days: NOW - days * DAY)


@st.composite
def known(draw: st.DrawFn, model: Model) -> list[MeasureValue]:
    """Facts for what a model reads."""
    return [MeasureValue(draw(values), read.name, draw(ages)) for read in model.plan.reads]


@settings(max_examples=40)
@given(st.data())
def test_whatever_the_model_its_verdict_adds_up(data: st.DataObject) -> None:
    model = drawn(data.draw(models()))
    verdict = weigh(model.plan, data.draw(known(model)), VIEW)
    assert sum(parts(verdict).values()) == verdict.score
    assert 0 <= verdict.score <= 10_000
    assert 0 <= verdict.coverage <= 1


@settings(max_examples=40, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.data())
def test_without_a_warning_removing_an_input_never_improves_score_or_band(data: st.DataObject) -> None:
    checked = data.draw(models())
    assume(not checked.warnings)
    model = drawn(checked)
    facts = data.draw(known(model))
    gone = data.draw(st.sets(st.integers(0, len(facts) - 1)))
    fewer = [MeasureValue(None, "gone") if place in gone else fact for place, fact in enumerate(facts)]
    full, less = weigh(model.plan, facts, VIEW), weigh(model.plan, fewer, VIEW)
    assert less.score <= full.score
    state = State(band=data.draw(st.sampled_from(("unknown", *BAND_ORDER))))
    assert rank(settle(less, state, NOW).band) <= rank(settle(full, state, NOW).band)


@settings(max_examples=40)
@given(st.data())
def test_the_canonical_text_scores_the_same(data: st.DataObject) -> None:
    model = drawn(data.draw(models()))
    facts = data.draw(known(model))
    again = load_model(model.text)
    assert again == model
    one, other = weigh(model.plan, facts, VIEW), weigh(again.plan, facts, VIEW)
    assert one._replace(plan=other.plan) == other


@settings(max_examples=40, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.data())
def test_fixed_factors_and_combining_agree(data: st.DataObject) -> None:
    model = drawn(data.draw(models()))
    assume(model.plan.linear)
    facts = data.draw(known(model))
    fixed, combined = (weigh(plan, facts, VIEW) for plan in (model.plan, replace(model.plan, linear=False)))
    assert abs(fixed.score - combined.score) <= len(model.plan.terms)
    assert [m.score for m in fixed.measures] == [m.score for m in combined.measures]


@settings(max_examples=40)
@given(st.sampled_from(TEXTS), st.data())
def test_a_damaged_file_is_a_model_or_a_list_of_faults(text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        gone = data.draw(st.integers(0, 12))
        put = data.draw(
            st.sampled_from(("", "[", "{", ": ", "- ", "\n", "*a ", "!x ", '"', "null", "-1", "é\0"))
        )
        text = text[:at] + put + text[at + gone :]
    sound_or_told(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=40)
@given(st.sampled_from(TEXTS), st.data())
def test_a_file_with_anything_anywhere_is_a_model_or_a_list_of_faults(text: str, data: st.DataObject) -> None:
    document = json.loads(load_model(text).text)
    place: Any = document
    while isinstance(place, dict | list) and place:
        keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            place[key] = data.draw(json_values)
            break
        place = place[key]
    sound_or_told(json.dumps(document))


def sound_or_told(text: str) -> None:
    """A check ends with a model or with faults that have a place and a fix."""
    checked = check_model(text)
    if checked.model is None:
        assert checked.faults
    else:
        facts = [MeasureValue(1.0, "") for _ in checked.model.plan.reads]
        assert 0 <= weigh(checked.model.plan, facts, VIEW).score <= 10_000
    assert all(fault.fix and fault.message and fault.line >= 1 for fault in checked.faults)
