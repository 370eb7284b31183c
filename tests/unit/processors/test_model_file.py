"""Model files: every fault at once, in its place, with its fix; and what a sound file means."""

from __future__ import annotations

import pytest

from processors.measures import MeasureValue
from processors.model import (
    DEFAULT,
    Model,
    ModelError,
    check_model,
    choose,
    clashes,
    differences,
    load_model,
)
from processors.scoring.measure_score import score_measure
from processors.scoring.score import Verdict, inform, settle, weigh
from processors.scoring.tally import involuntary_reasons, involuntary_score
from processors.state.account import State, stamp
from processors.view import View
from schemas.records import Measure
from schemas.times import DAY
from tests.support.generators import NOW

SMALL = """\
model: small
version: 1
measures:
  usage.silence: {weight: 3, curve: {points: [[0, 100], [10, 0]]}}
  usage.depth: {curve: {points: [[0, 0], [10, 100]]}}
bands: [{band: critical, below: 50}, {band: healthy}]
"""


def faults(text: str) -> list[str]:
    return [str(fault) for fault in check_model(text).faults]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("stale_after: 0d", "4:19: measures.usage.silence.stale_after: no time at all"),
        ("if_unknown: 500", "4:19: measures.usage.silence.if_unknown: the score can rise to 400"),
        ("fade: {half_life: 9d, toward: -9}", "4:41: measures.usage.silence.fade.toward: the score can"),
    ],
)  # fmt: skip
def test_a_fault_of_a_measure_stands_at_its_line(key: str, said: str) -> None:
    assert said in "\n".join(faults(SMALL.replace("weight: 3", f"{key}, weight: 3")))


def view(now: int = NOW, tenant: str = "acme", **profile: str) -> View:
    state = State(tenant=tenant, account_id="a")
    state.profile = {name: (stamp(1, name), value) for name, value in profile.items()}
    return View(state, now)


def score(model: Model, facts: dict[str, float | MeasureValue | None], at: View | None = None) -> Verdict:
    at = at or view()
    plan = model.for_account(at)
    given = {
        name: fact if isinstance(fact, MeasureValue) else MeasureValue(fact, name)
        for name, fact in facts.items()
    }
    return weigh(
        plan, [given.get(read.name, MeasureValue(None, f"no {read.name}")) for read in plan.reads], at
    )


def informing(model: Model, facts: dict[str, MeasureValue]) -> tuple[list[Measure], int | None]:
    """The measures that inform, and the next time at which age changes one."""
    plan = model.for_account(view())
    known = [facts.get(read.name, MeasureValue(None, f"no {read.name}")) for read in plan.shows]
    return inform(plan, known, view().now)


TEN = """\
model: Acme Health
version: one
score: {combine: average}
groups:
  usage: {title: Usage}
measures:
  usage.frequency:
    group: usages
    curve: {points: [[3, 0], [1, 35]]}
  usage.dropp:
    group: usage
    wieght: 3
    stale_after: 2 weeks
    curve: {steps: [{below: 7, score: 100}, {below: 14, score: 50}]}
caps:
  canceled: {limit: 0, measure: billing.cancellation}
bands:
  - {band: healthy, below: 50}
  - {band: critical}
variants:
  smb: {priority: 1, when: account.segment = "smb"}
"""


def test_a_file_with_ten_faults_lists_them_all() -> None:
    assert [str(fault).partition(";")[0] for fault in check_model(TEN).faults] == [
        "1:1: model: 'Acme Health' is not a name",
        "2:1: version: 'one' is not a whole number",
        "3:9: score.combine: 'average' is none of the choices",
        "8:5: measures.usage.frequency.group: no such group: usages",
        "9:5: measures.usage.frequency.curve: the points' values do not rise",
        "10:3: measures.usage.dropp: no such measure: usage.dropp",
        "12:5: measures.usage.dropp.wieght: no such key",
        "13:5: measures.usage.dropp.stale_after: '2 weeks' is no duration",
        "14:5: measures.usage.dropp.curve: the last of the steps must be open, and only it",
        "16:3: caps.canceled: a cap that tests nothing",
        "17:1: bands: the bands do not improve",
        "21:22: variants.smb.when: a single =",
    ]


def test_every_fault_says_how_to_mend_it() -> None:
    fixes = [fault.fix for fault in check_model(TEN).faults]
    assert "did you mean usage.drop?" in fixes
    assert "did you mean weight?" in fixes
    assert all(fixes)
    with pytest.raises(ModelError, match=r"13:5: .*; write a number and s, m, h, d or w, such as 90d"):
        load_model(TEN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1:1: the file is empty; begin it with a key"),
        ("# a comment\n---\n", "1:1: the file is empty"),
        ("- a\n- b\n", "1:1: not a mapping"),
        ("model: a\n\tversion: 1\n", "2:1: a tab; indent with spaces"),
        ("model: a\nmeasures:\n  usage.depth:\n  \tweight: 3\n", "4:3: a tab; indent with spaces"),
        ("model: [a\n", "not YAML"),
        ("model: a\nmodel: b\n", "2:1: model: given twice, first in line 1; keep one of them"),
        ("model: !!python/object:os.system a\n", "the tag tag:yaml.org,2002:python/object:os.system"),
        ("model: *a\n", "1:8: model: no anchor &a before it; write the value out"),
        ("a: &a {b: 1}\nc:\n  <<: *a\n", "3:3: c.<<: keys of other mappings are not merged here"),
        ("model: a\nversion 1\nabout: b\n", "2:1: no colon after the key; write `name: value`"),
        ("model: a\nversion: 010\n", "2:10: version: 010 begins with 0; write 10, or quotes around a text"),
        ("a: &a {b: 1}\nc: *a\n", "aliases stand for single values only"),
        ("model: a\n---\nmodel: b\n", "2:1: a second document"),
        ("{a: 1}: b\n", "a key that is not a word"),
        ("a: " + "[" * 20 + "]" * 20, "too much in one file"),
        ("[" * 150_000, "1:18: too much in one file"),
        ("a: [" + "1," * 20_000 + "]", "too much in one file"),
        ("a" * 300_000, "the file is too long"),
        ("a: 1\nb: \x00", "2:4: the control character 0x00; save it as UTF-8 text without it"),
        (SMALL.replace("[10, 0]", "[10, .inf]"), "not a number"),
        (SMALL.replace("[10, 0]", "[10, 1e999]"), "inf is not a finite number"),
        (SMALL.replace("weight: 3", "weight: true"), "true is not a number"),
        (SMALL.replace("weight: 3", "weight: no"), "'no' is not a number"),
        (SMALL.replace("weight: 3", "weight: '3'"), "'3' is not a number; leave the quotes out"),
        (SMALL.replace("weight: 3", "weight: null"), "weight: nothing is there; write a number"),
        (SMALL.replace("[[0, 0], [10, 100]]", "[]"), "curve.points: empty; write something there"),
        (SMALL.replace("version: 1", "version: 10000000000000000"), "a whole number of at most 15 digits"),
    ],
)  # fmt: skip
def test_what_is_no_model_is_refused_in_its_place(text: str, said: str) -> None:
    assert said in "\n".join(faults(text))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("score: {combine: sum}", "score: the score can rise to 400 of 100; add `max: 100` to score"),
        ("score: {combine: sum, start: -10, max: 90}", "score: the score can fall to -10; add `min: 0`"),
        ("score: {start: 5}", "score: start belongs to a sum"),
        ("score: {combine: sum, min: 9, max: 3}", "score: min is not below max"),
        ("groups: {usage: {}}", "groups.usage: a group without measures"),
        ("caps: {x: {limit: 200, measure: usage.depth, below: 1}}", "caps.x.limit: 200 is above the scale"),
        ("caps: {x: {limit: 2, measure: usage.deep, below: 1}}", "no such measure: usage.deep; did you"),
        ("caps: {x: {limit: 2, below: 1}}", "caps.x: measure is missing; add `measure: …`"),
        ("caps: {x: {limit: 2, measure: usage.depth, below: 1, at_most: 1}}", "below and at_most at once"),
        ("caps: {x: {limit: 2, measure: usage.depth, below: 1, until: soon}}", "'soon' is no date"),
        ("caps: {x: {limit: 2, measure: usage.depth, below: 1, say: 'a {b}'}}", "{b} stands for nothing"),
        ("caps: {x: {limit: 2, measure: usage.depth, below: 1, say: '{fact'}}", "a { without its other"),
        ("caps: {x: {limit: 2, measure: usage.depth, at_least: 3, below: 3}}", "no value passes both tests"),
        ("hysteresis: {margin: 100}", "7:14: hysteresis.margin: a margin of 100 on a scale of 100"),
        ("min_coverage: 2", "min_coverage: 2 is out of range; make it 1 or less"),
        ("applies: {when: usage.depth > 1.0}", "the measure usage.depth can't choose accounts"),
        ("applies: {when: account.segmnt == 'a'}", "no such fact: account.segmnt; did you mean segment?"),
        ("applies: {when: 'account.segment =='}", "applies.when: the condition ends too early"),
        ("applies: {tenants: [Acme Inc]}", "applies.tenants.0: 'Acme Inc' is no tenant's name"),
        ("own: {in: {kind: flag}}", "own.in: in is a word of conditions; choose another name"),
        ("score: {scale: 1e+300}", "the number 1e+300 is too large; write one from -1e+15 to 1e+15"),
        ("caps: {c: {limit: 10, measure: usage.depth, below: 1, lasts: 0d}}", "caps.c.lasts: no time at all"),
        ("applies: {when: '1 + 1'}", "neither true nor false"),
        ("applies: {when: account.seats > '40'}", "7:11: applies.when: account.seats > '40': a whole"),
        ("applies: {when: account.seats > 4 and account.plan == 'a'}", "and at character 19; write &&"),
        ("caps: {x: {limit: 2, measure: usage.depth, below: 1, when: account.segment}}",
         "7:54: caps.x.when: account.segment: text where true or false is needed"),
        ("variants: {a: {when: account.plan in 'pro', priority: 1}}", "'pro' is text, no list"),
        ("variants: {a: {when: 'account.plan.matches(\"(\")', priority: 1}}", "unclosed group"),
        ("variants: {a: {when: 'true', priority: 1, measures: {usage.dept: null}}}",
         "7:54: variants.a.measures.usage.dept: nothing to remove: the model has none; did you mean usage.d"),
        ("variants: {a: {when: 'true', priority: 1, caps: {x: null}}}", "variants.a.caps.x: nothing to"),
        ("variants: {a: {when: 'true', priority: 1, measures: {usage.depth: {fad: null}}}}",
         "variants.a.measures.usage.depth.fad: no such key; did you mean fade?"),
        ("variants: {a: {when: 'true', priority: 1, hysteresis: {margn: null}}}", "did you mean margin?"),
        ("variants: {a: {when: 'true', priority: 1, measures: {usage.depth: {curve: {points: [[0, 120]]}}}}}",
         "measures.usage.depth.curve.points.0: the score can rise to 105 of 100: 120 here; lower it"),
        ("variants: {a: {when: 'true', priority: 1, bands: [{band: yellow}]}}",
         "variants.a.bands.0: how bad is yellow?; add `is:` with one of critical, at_risk, watch, healthy"),
        ("variants: {a: {when: 'true', priority: 1, bands: [{band: healty}]}}", ", or did you mean healthy?"),
        ("variants: {a: {when: 'true', priority: 1, bands: [{band: critical, is: watch}]}}",
         "critical can't be watch; leave `is` out, or choose another name"),
        ("variants: {a: {when: 'true', priority: 1, bands: [{band: unknown, is: watch}]}}", "another name"),
        ("variants: {a: {when: 'true', priority: 1, bands: [{band: a, is: good}]}}",
         "variants.a.bands.0.is: 'good' is none of the choices; use critical, at_risk, watch, healthy"),
        ("variants: {a: {when: 'true', priority: 1, bands: [{band: healthy, below: 5}, {band: watch}]}}",
         "the bands do not improve"),
        ("variants: {a: {when: 'true', priority: 1, bands: [{band: watch, below: 5}, {band: watch}]}}",
         "the band watch is there twice"),
        ("alerts: {}", "7:1: alerts: no such key; leave it out: a model makes scores and bands"),
        ("applies: {when: '[1].all(x, x > 0)'}", "a condition has no loops"),
        ("variants: {a: {when: 'true', priority: 1, score: {combine: sum}}}",
         "7:43: variants.a.score: the score can rise to 400"),
        ("variants: {a: {when: 'true', priority: 1, measures: {usage.depth: null, usage.silence: null}}}",
         "variants.a.measures: "),
        ("variants: {a: {when: 'true', priority: 1, measures: {usage.drop: {weight: 1}}}}",
         "variants.a.measures.usage.drop: curve is missing"),
        ("variants: {a: {when: 'true', priority: 1, measures: {usage.depth: {curve: {steps: [{}]}}}}}",
         "variants.a.measures.usage.depth.curve.steps.0: score is missing"),
        ("variants: {a: {when: 'true', priority: 1}, b: {when: 'true', priority: 1}}",
         "variants.b.priority: the same priority as a"),
        ("variants: {a: 5}", "variants.a: 5 is not a mapping"),
        ("groups: {A b: {weight: x, size: 2}}", "groups.A b.weight: 'x' is not a number"),
        ("variants: {a: {when: 'true', priority: 1, measures: 5}}", "a.measures: 5 is not a mapping"),
        ("hysteresis: {better_for: 1 day}", "'1 day' is no duration"),
    ],
)  # fmt: skip
def test_faults_between_parts_are_found(line: str, said: str) -> None:
    assert said in "\n".join(faults(f"{SMALL}{line}\n"))


def test_a_model_without_weights_is_refused() -> None:
    text = SMALL.replace("weight: 3", "weight: 0").replace("usage.depth: {", "usage.depth: {weight: 0, ")
    assert "score: all weights are zero" in faults(text)[0]


INFORMED = SMALL.replace("bands:", "  surveys.nps: {group: voice, weight: 0}\ngroups: {voice: {}}\nbands:")


def test_a_measure_without_weight_informs() -> None:
    model, plain = load_model(INFORMED), load_model(SMALL)
    facts: dict[str, float | MeasureValue | None] = {"usage.silence": 8.0}
    verdict, without = score(model, facts), score(plain, facts)
    ((shown,), _) = informing(model, {"surveys.nps": MeasureValue(-40, "NPS -40", as_of=NOW)})
    assert (shown.name, shown.value, shown.unit, shown.reason) == (
        "surveys.nps", -40, "-100 to 100", "NPS -40",
    )  # fmt: skip
    assert (shown.score, shown.weight, shown.contribution) == (None, 0, 0)
    assert (verdict.score, verdict.coverage, verdict.reasons) == (
        without.score, without.coverage, without.reasons,
    )  # fmt: skip


def test_what_informs_is_shown_once_it_is_known() -> None:
    model = load_model(INFORMED.replace("weight: 0", "weight: 0, stale_after: 30d, forget_after: 90d"))
    told = [
        [(measure.stale, measure.reason) for measure in informing(model, {"surveys.nps": fact})[0]]
        for fact in (
            MeasureValue(None, "none"),
            *(MeasureValue(9, "said", as_of=NOW - days * DAY) for days in (1, 31, 91)),
        )
    ]
    assert told == [[], [(False, "said")], [(True, "said (31 days ago)")], []]
    assert informing(model, {"surveys.nps": MeasureValue(9, "said", as_of=NOW)})[1] == NOW + 30 * DAY


def test_what_informs_may_be_scored_and_is_never_the_worst() -> None:
    text = INFORMED.replace("weight: 0", "weight: 0, curve: {points: [[-100, 0], [100, 100]]}")
    model = load_model(f"{text}score: {{combine: worst}}\n")
    verdict, ((shown,), _) = (
        score(model, WELL),
        informing(model, {"surveys.nps": MeasureValue(-100.0, "none")}),
    )
    assert (shown.score, verdict.score, verdict.coverage) == (0, 10_000, 1)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{group: voice}", "surveys.nps: curve is missing; add `curve: …`, or `weight: 0`"),
        ("{group: voice, weight: 0, fade: {half_life: 1d, toward: 0}}", "fade without a curve; give it a"),
    ],
)
def test_what_is_counted_needs_a_curve(line: str, said: str) -> None:
    assert said in "\n".join(faults(INFORMED.replace("{group: voice, weight: 0}", line)))


def test_a_group_that_only_informs_weighs_nothing() -> None:
    said = "\n".join(faults(INFORMED.replace("voice: {}", "voice: {weight: 3}")))
    assert said.startswith("7:10: groups.voice: all weights are zero")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(9.99, 0), (10, 50), (10.01, 50), (19.99, 50), (20, 50), (20.01, 100)],
)
def test_steps_say_which_range_an_edge_belongs_to(value: float, expected: float) -> None:
    steps = "curve: {steps: [{below: 10, score: 0}, {up_to: 20, score: 50}, {score: 100}]}"
    model = load_model(SMALL.replace("curve: {points: [[0, 0], [10, 100]]}", steps))
    assert score(model, {"usage.depth": value}).measures[1].score == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(-1, 0), (0, 0), (0.01, 0.1), (5, 50), (9.99, 99.9), (10, 100), (11, 100),
     (float("inf"), 100), (float("-inf"), 0), (float("nan"), None), (None, None)],
)  # fmt: skip
def test_points_are_met_the_ends_hold_and_what_is_no_number_is_not_known(
    value: float | None, expected: float | None
) -> None:
    found = score(load_model(SMALL), {"usage.depth": value}).measures[1]
    assert found.score == (None if expected is None else pytest.approx(expected))
    assert found.value == (None if expected is None else value)


@pytest.mark.parametrize(("points", "band"), [(4999, "critical"), (5000, "healthy"), (5001, "healthy")])
def test_a_band_below_its_edge(points: int, band: str) -> None:
    assert load_model(SMALL).plan.bands.of(points) == band


@pytest.mark.parametrize(("points", "band"), [(4999, "critical"), (5000, "critical"), (5001, "healthy")])
def test_a_band_up_to_its_edge(points: int, band: str) -> None:
    assert load_model(SMALL.replace("below: 50", "up_to: 50")).plan.bands.of(points) == band


CAPPED = SMALL + "caps: {urgent: {limit: 40, measure: support.urgent, at_least: 48, lasts: 3d}}\n"
WELL = {"usage.silence": 0.0, "usage.depth": 10.0}


@pytest.mark.parametrize(("hours", "expected"), [(47.99, 10_000), (48, 4_000), (48.01, 4_000)])
def test_a_cap_holds_from_its_edge(hours: float, expected: int) -> None:
    assert score(load_model(CAPPED), WELL | {"support.urgent": hours}).score == expected


@pytest.mark.parametrize(
    ("age", "expected"), [(3 * DAY - 1, 4_000), (3 * DAY, 10_000), (3 * DAY + 1, 10_000)]
)
def test_a_cap_lifts_when_its_time_is_over(age: int, expected: int) -> None:
    verdict = score(load_model(CAPPED), WELL | {"support.urgent": MeasureValue(60, "old", as_of=NOW - age)})
    assert verdict.score == expected
    assert verdict.due == (NOW - age + 3 * DAY if expected == 4_000 else None)


def test_a_cap_lifts_at_its_date() -> None:
    model = load_model(CAPPED.replace("lasts: 3d", "until: 2026-12-31"))
    until = 1_798_675_200_000
    facts = WELL | {"support.urgent": 60.0}
    assert [score(model, facts, view(now)).score for now in (until - 1, until)] == [4_000, 10_000]


def test_a_cap_that_can_not_be_judged_holds_and_leaves_the_band_unknown() -> None:
    verdict = score(load_model(CAPPED), WELL)
    assert (verdict.score, settle(verdict, State(), NOW).band) == (4_000, "unknown")
    assert verdict.reasons[0] == "no support.urgent"
    lifting = load_model(CAPPED.replace("lasts: 3d", "if_unknown: lift"))
    assert score(lifting, WELL).score == 10_000
    assert [w.message for w in check_model(CAPPED.replace("lasts: 3d", "if_unknown: lift")).warnings] == [
        "missing data lifts the cap"
    ]


@pytest.mark.parametrize(
    ("segment", "depth", "expected", "judged"),
    [
        ("smb", 2, 4_000, True),
        ("mid", 2, 8_000, True),
        ("smb", None, 4_000, False),
        ("mid", None, 7_500, True),
    ],
    ids=["holds", "does not hold", "can't be judged", "does not hold, whatever is missing"],
)
def test_a_cap_asks_its_condition_too(segment: str, depth: float | None, expected: int, judged: bool) -> None:
    when = 'when: account.segment == "smb" && usage.depth < 3.0'
    facts: dict[str, float | MeasureValue | None] = {
        "usage.silence": 0,
        "usage.depth": depth,
        "support.urgent": 60,
    }
    verdict = score(load_model(CAPPED.replace("lasts: 3d", when)), facts, view(segment=segment))
    assert (verdict.score, verdict.judged) == (expected, judged)


def test_a_condition_that_can_not_be_judged_is_named() -> None:
    when = 'when: account.plan == "pro" && usage.depth < 3.0'
    facts: dict[str, float | MeasureValue | None] = WELL | {"support.urgent": 60.0, "usage.depth": None}
    verdict = score(load_model(CAPPED.replace("lasts: 3d", when)), facts)
    assert not verdict.judged
    [doubt] = verdict.doubts
    assert doubt.startswith('Cap urgent: the condition account.plan == "pro" && usage.depth < 3.0 can\'t be ')
    assert doubt.endswith("judged: account.plan and usage.depth not known")
    assert doubt == verdict.reasons[0]


def test_a_condition_that_can_not_be_computed_is_named() -> None:
    when = "when: 100 / account.tenure_days > 5"
    at = view()
    at.state.usage.first_at = NOW
    facts: dict[str, float | MeasureValue | None] = WELL | {"support.urgent": 60.0}
    verdict = score(load_model(CAPPED.replace("lasts: 3d", when)), facts, at)
    assert (verdict.score, verdict.judged) == (4_000, False)
    assert verdict.doubts[0].endswith("can't be judged: it can't be computed")


def test_a_model_in_force_is_not_refused_for_what_was_no_fault_when_it_was_put_in_force() -> None:
    text = f"{SMALL}applies: {{when: account.seats > '40'}}\n"
    assert faults(text)
    assert load_model(text, accepted=True).applies is not None
    typo = "variants: {a: {when: 'true', priority: 1, measures: {usage.dept: null}}}"
    assert load_model(f"{SMALL}{typo}\n", accepted=True).variants


AGED = SMALL.replace("usage.depth: {", "usage.depth: {stale_after: 30d, forget_after: 90d, ")


@pytest.mark.parametrize(
    ("age", "stale", "known"),
    [(30 * DAY - 1, False, True), (30 * DAY, True, True), (90 * DAY - 1, True, True),
     (90 * DAY, False, False)],
)  # fmt: skip
def test_held_evidence_is_flagged_and_then_forgotten(age: int, stale: bool, known: bool) -> None:
    verdict = score(
        load_model(AGED), {"usage.depth": MeasureValue(8, "Said 8", as_of=NOW - age), "usage.silence": 0}
    )
    found = verdict.measures[1]
    assert (found.stale, found.value) == (stale, 8 if known else None)
    assert found.as_of == NOW - age
    assert verdict.coverage == (1.0 if known else 0.75)
    assert verdict.due == (min(m for m in (30 * DAY, 90 * DAY) if m > age) + NOW - age if known else None)
    assert found.reason == {
        (False, True): "Said 8", (True, True): f"Said 8 ({age // DAY} days ago)",
        (False, False): "Said 8, but that was 90 days ago",
    }[stale, known]  # fmt: skip


@pytest.mark.parametrize(
    ("days", "expected"),
    [(0, 20), (14, 60), (28, 80), (41, 100 - 80 * 0.5 ** (41 / 14)), (42, 100), (80, 100)],
)
def test_a_score_fades_by_half_lives_until_its_window_ends(days: int, expected: float) -> None:
    fading = "usage.depth: {fade: {half_life: 14d, toward: 100, window: 42d}, "
    plan = load_model(SMALL.replace("usage.depth: {", fading)).plan
    found = score_measure(
        plan.terms[1], [MeasureValue(None, ""), MeasureValue(2, "said", as_of=NOW - days * DAY)], NOW
    ).score
    assert found == pytest.approx(expected)


def test_the_model_words_a_reason() -> None:
    text = SMALL.replace("usage.depth: {", "usage.depth: {say: '{fact}, which is {value} of our 12', ")
    verdict = score(load_model(text), {"usage.depth": MeasureValue(3, "Uses 3 features")})
    assert verdict.measures[1].reason == "Uses 3 features, which is 3 of our 12"


VARIED = (
    SMALL
    + """\
variants:
  big: {priority: 1, when: account.segment == "big", measures: {usage.depth: {weight: 3}}}
  new: {priority: 2, when: account.stage == "new", until: 2027-01-01, measures: {usage.silence: null}}
"""
)


@pytest.mark.parametrize(
    ("profile", "variant", "weights"),
    [({}, "", [75, 25]), ({"segment": "big"}, "big", [50, 50]), ({"stage": "new"}, "new", [100]),
     ({"segment": "big", "stage": "new"}, "new", [100])],
)  # fmt: skip
def test_the_variant_with_the_highest_priority_applies(
    profile: dict[str, str], variant: str, weights: list[float]
) -> None:
    plan = load_model(VARIED).for_account(view(**profile))
    assert (plan.variant, [term.weight for term in plan.terms]) == (variant, weights)


def test_a_variant_ends_at_its_date() -> None:
    model, end = load_model(VARIED), 1_798_761_600_000
    assert [model.for_account(view(now, stage="new")).variant for now in (end - 1, end)] == ["new", ""]
    assert (model.next_change(end - 1), model.next_change(end)) == (end, None)


def models() -> list[Model]:
    applies = (
        "",
        "applies: {tenants: [acme], priority: 1}",
        'applies: {priority: 2, when: account.stage == "new"}',
    )
    return [load_model(f"{SMALL.replace('small', f'm{i}')}{line}\n") for i, line in enumerate(applies)]


def test_models_stand_side_by_side_by_tenant_and_condition() -> None:
    chosen = [choose(models(), at).name for at in (view(tenant="beta"), view(), view(stage="new"))]
    assert chosen == ["m0", "m1", "m2"]
    with pytest.raises(LookupError, match="no model applies to beta:a"):
        choose(models()[1:], view(tenant="beta"))
    assert clashes(models()) == []
    assert len(clashes([*models(), *models()])) == 6


def test_the_version_is_the_number_and_the_content() -> None:
    one, same, other = (
        load_model(SMALL),
        load_model(f"# a comment\n{SMALL}"),
        load_model(SMALL.replace("3", "4")),
    )
    assert one == same == load_model(one.text)
    assert one.version == same.version
    assert one.version.startswith("1-")
    assert one.version != other.version


def test_a_difference_names_the_key_and_the_shares_it_moves() -> None:
    found = differences(load_model(SMALL), load_model(SMALL.replace("weight: 3", "weight: 4")))
    assert [(d.where, d.before, d.after) for d in found] == [
        ("share of usage.silence", "75.0", "80.0"),
        ("share of usage.depth", "25.0", "20.0"),
        ("measures.usage.silence.weight", "3", "4"),
    ]
    assert differences(DEFAULT, DEFAULT) == []


def test_a_patch_of_a_curve_replaces_it_whole() -> None:
    patch = "{priority: 1, when: 'true', measures: {usage.depth: {curve: {steps: [{score: 5}]}}}}"
    plan = load_model(f"{SMALL}variants: {{a: {patch}}}\n").for_account(view())
    curve = plan.terms[1].curve
    assert curve is not None
    assert curve.score(10) == 5


def test_a_calibrated_model_states_a_probability_of_churn() -> None:
    model = load_model(SMALL + "churn_probability: [[0, 0.5], [50, 0.1], [100, 0.02]]\n")
    assert [model.plan.churn_probability(score) for score in (0, 2_500, 7_500, 10_000)] == [
        0.5, 0.3, 0.06, 0.02,
    ]  # fmt: skip
    assert load_model(SMALL).plan.churn_probability(0) is None


def test_a_variant_states_none_because_it_was_calibrated_without_it() -> None:
    model = load_model(
        SMALL
        + "churn_probability: [[0, 0.5], [100, 0.02]]\n"
        + "variants: {pro: {priority: 1, when: account.plan == 'pro', min_coverage: 0.1}}\n"
    )
    assert model.variants[0].plan.churn_probability(0) is None


@pytest.mark.parametrize(
    ("points", "fault"),
    [
        ("[[0, 0.5], [0, 0.1]]", "the scores do not rise"),
        ("[[0, 0.1], [100, 0.5]]", "the probability rises with the score"),
        ("[[0, 30], [100, 1]]", "a probability beyond 0 to 1"),
        ("[[0, 0.5], [120, 0.1]]", "the score 120 lies outside the scale of 100"),
    ],
)
def test_a_probability_that_can_not_be_one_is_a_fault(points: str, fault: str) -> None:
    (found,) = faults(SMALL + f"churn_probability: {points}\n")
    assert fault in found
    assert found.startswith("7:")


MULTIPLYING = """\
model: renewing
version: 1
score: {combine: product}
groups:
  silence: {weight: 0.5}
  renewal: {weight: 0.2, multiplies: 3}
  payments: {weight: 0.5, involuntary: true}
measures:
  usage.silence: {group: silence, curve: {points: [[0, 100], [10, 0]]}}
  billing.renewal_near: {group: renewal, curve: {points: [[0, 100], [1, 0]]}}
  billing.payment: {group: payments, curve: {points: [[0, 100], [3, 0]]}}
bands: [{band: critical, below: 50}, {band: healthy}]
"""


def test_a_near_renewal_multiplies_all_but_what_is_involuntary() -> None:
    model = load_model(MULTIPLYING)

    def points(silence: float, renewal: float, payment: float) -> float:
        facts = {"usage.silence": silence, "billing.renewal_near": renewal, "billing.payment": payment}
        verdict = score(model, facts)
        taken = sum(measure.contribution for measure in verdict.measures)
        assert 100 + taken == pytest.approx(verdict.score / 100, abs=0.02)
        return verdict.score / 100

    assert points(10, 0, 0) == 50
    assert points(10, 1, 0) == 10  # 0.8 of the renewal's own, and 0.5 three times
    assert points(0, 1, 3) == 40
    assert points(10, 0.5, 0) == pytest.approx(100 * 0.9 * 0.5**2)
    faulty = check_model(MULTIPLYING.replace("combine: product", "combine: mean"))
    assert any("multiplies without a product" in str(fault) for fault in faulty.faults)


def test_what_is_involuntary_has_a_score_of_its_own() -> None:
    model = load_model(MULTIPLYING)

    def alone(**facts: float) -> float | None:
        best = {"usage.silence": 0.0, "billing.renewal_near": 0.0, "billing.payment": 0.0}
        verdict = score(model, best | {name.replace("_", ".", 1): value for name, value in facts.items()})
        return involuntary_score(verdict.plan, verdict.measures)

    assert alone() == 100
    assert alone(usage_silence=10, billing_renewal_near=1) == 100
    assert (
        alone(billing_payment=3) == alone(billing_payment=3, usage_silence=10, billing_renewal_near=1) == 50
    )
    assert alone(billing_payment=1.5) == 75
    small = load_model(SMALL)
    assert involuntary_score(small.plan, score(small, {}).measures) is None
    assert involuntary_reasons(small.plan, score(small, {}).measures) == []


def test_what_is_involuntary_has_reasons_of_its_own() -> None:
    model = load_model(MULTIPLYING)

    def reasons(silence: float, payment: float) -> list[str]:
        facts = {"usage.silence": silence, "billing.renewal_near": 1.0, "billing.payment": payment}
        verdict = score(model, facts)
        said = {measure.name: measure.reason for measure in verdict.measures}
        assert said["billing.payment"] != said["usage.silence"]
        found = involuntary_reasons(verdict.plan, verdict.measures)
        assert found in ([], [said["billing.payment"]])
        return found

    assert reasons(10, 0) == []
    assert len(reasons(0, 3)) == len(reasons(10, 3)) == 1
