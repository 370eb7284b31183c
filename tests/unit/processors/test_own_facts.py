"""Facts and counters of a team's own: how they age, merge and are bounded, and what a model makes of them."""

from __future__ import annotations

from typing import Any

import pytest

from processors.measures import MeasureValue
from processors.merging.merge import merge
from processors.model import check_model, load_model
from processors.model.file.own import OwnSpec
from processors.model.plan.own import own_measures
from processors.observe import bound, evict, observe_profile
from processors.observe.bounds import HELD_DAYS, MAX_OWN_USERS
from processors.scoring.score import assess
from processors.state.account import State
from processors.state.encoding import decode_state, encode_state
from processors.state.own import MAX_OWN, OwnCount, OwnFact
from processors.view import View
from schemas.records import AccountProfile
from schemas.times import DAY
from tests.support.generators import NOW
from tests.unit.processors.test_model_file import SMALL, faults


def profile(number: int = 0, age: int = 0, **fields: Any) -> AccountProfile:
    at = NOW - age * DAY
    return AccountProfile(
        event_id=f"e{number}", tenant="acme", account_id="a", source="t", occurred_at=at, received_at=NOW,
        **fields,
    )  # fmt: skip


def state_of(*events: AccountProfile) -> State:
    state = State(tenant="acme", account_id="a")
    for event in events:
        observe_profile(state, event)
    return state


def said(spec: dict[str, Any], *events: AccountProfile, seats: int | None = None) -> MeasureValue:
    """The value of an own fact ``x``."""
    [measure] = own_measures({"x": OwnSpec.model_validate(spec)}).values()
    state = state_of(*events, *([profile(99, seats=seats)] if seats else []))
    return measure(View(state, NOW))


@pytest.mark.parametrize(
    ("spec", "sent", "value", "reason"),
    [
        ({"kind": "number"}, 3.0, 3, "X: 3"),
        ({"kind": "number", "unit": "versions", "title": "Behind"}, 2.5, 2.5, "Behind: 2.5 versions"),
        ({"kind": "number"}, "three", None, "X is not known: 'three' is no number"),
        ({"kind": "number"}, True, None, "X is not known: True is no number"),
        ({"kind": "number"}, None, None, "X is not known"),
        ({"kind": "flag"}, True, 1, "X: yes"),
        ({"kind": "flag"}, False, 0, "X: no"),
        ({"kind": "flag"}, 1.0, None, "X is not known: 1.0 is neither true nor false"),
        ({"kind": "pulse"}, 4.0, 4, "X is 4 of 5, said by Ines"),
        ({"kind": "pulse"}, 6.0, None, "X is not known: 6.0 is none of 1 to 5"),
        ({"kind": "date"}, "2026-09-20", 1, "X was 1 day ago"),
        ({"kind": "date"}, "2026-09-21T23:00:00+02:00", 0, "X is today"),
        ({"kind": "date"}, "2026-10-01", -10, "X is in 10 days"),
        ({"kind": "date"}, "soon", None, "X is not known: 'soon' is no date such as 2026-12-31"),
    ],
)
def test_a_fact_is_read_as_its_kind(
    spec: dict[str, Any], sent: Any, value: float | None, reason: str
) -> None:
    found = said(spec, profile(own={"x": sent}, author="Ines"))
    assert (found.value, found.reason) == (value, reason)


def test_the_newest_word_counts_whatever_the_order() -> None:
    events = [profile(1, 3, own={"x": 1.0}), profile(2, 1, own={"x": 2.0}), profile(3, 2, own={"x": 3.0})]
    assert said({"kind": "number"}, *events).value == said({"kind": "number"}, *events[::-1]).value == 2


@pytest.mark.parametrize(("age", "value"), [(29, 3), (30, None)])
def test_a_fact_is_forgotten_by_its_age(age: int, value: float | None) -> None:
    found = said({"kind": "number", "forget_after": "30d"}, profile(1, age, own={"x": 3.0}))
    assert found.value == value
    assert found.as_of == NOW - age * DAY
    assert ("but that was 30 days ago" in found.reason) is (value is None)


def test_what_is_counted_is_counted_by_day_and_user() -> None:
    events = [
        profile(1, 0, counted={"x": 2}, user_id="u"),
        profile(2, 6, counted={"x": 5}, user_id="v"),
        profile(3, 7, counted={"x": 1}, user_id="w"),
        profile(4, 0, counted={"other": 9}),
    ]
    week = said({"kind": "count", "days": 7, "unit": "posts"}, *events)
    assert (week.value, week.reason) == (7, "X: 7 posts in 7 days")
    users = said({"kind": "users", "days": 7, "per": "seats"}, *events, seats=8)
    assert (users.value, users.reason) == (0.25, "X: 2 of 8 seats in 7 days")
    assert said({"kind": "users", "days": 7, "per": "seats"}, *events).value is None
    assert said({"kind": "count", "days": 7}, profile(counted={"other": 1})).value == 0
    assert said({"kind": "count", "days": 7}).value is None, "nothing counted at all is not zero"


def test_two_accounts_facts_and_counts_are_merged_in_either_order() -> None:
    ours = (profile(1, 2, own={"x": 1.0, "y": True}), profile(2, 1, counted={"c": 2}, user_id="u"))
    theirs = (profile(3, 1, own={"x": 2.0}), profile(4, 1, counted={"c": 3}, user_id="v"))
    merged = []
    for one, other in ((ours, theirs), (theirs, ours)):
        state = state_of(*one)
        merge(state, state_of(*other))
        merged.append(encode_state(state))
    assert merged[0] == merged[1] == encode_state(state_of(*ours, *theirs))
    state = decode_state(merged[0])
    assert state.own["x"].value == 2
    assert (state.own_counts["c"].days, len(state.own_counts["c"].users)) == ({(NOW - DAY) // DAY: 5}, 2)


def test_an_account_keeps_the_newest_and_forgets_the_old() -> None:
    state = State()
    state.own = {f"n{n:02}": OwnFact((NOW - n, 0), 1.0) for n in range(40)}
    state.own["old"] = OwnFact((NOW - (HELD_DAYS + 1) * DAY, 0), 1.0)
    users = dict.fromkeys(range(MAX_OWN_USERS + 5), NOW // DAY << 32 | 1)
    state.own_counts = {
        f"c{n:02}": OwnCount({NOW // DAY - n: 1}, users if n == 0 else {}) for n in (*range(40), 91)
    }
    evict(state, NOW)
    assert "old" not in state.own
    assert "c91" not in state.own_counts
    bound(state)
    assert sorted(state.own) == [f"n{n:02}" for n in range(MAX_OWN)]
    assert sorted(state.own_counts) == [f"c{n:02}" for n in range(MAX_OWN)]
    assert len(state.own_counts["c00"].users) == MAX_OWN_USERS


BEHIND = "measures:\n  own.behind: {curve: {points: [[0, 100], [5, 0]]}}"
OWN = (
    SMALL.replace("measures:", BEHIND)
    + """\
own:
  behind: {kind: number}
  pilot: {kind: flag}
  posts: {kind: count, days: 30}
caps: {few: {limit: 30, measure: own.posts, below: 10, when: "!own.pilot"}}
variants: {piloting: {priority: 1, when: own.pilot && own.behind < 3.0, caps: {few: null}}}
"""
)


def test_a_model_weighs_its_own_measures_and_asks_its_own_facts() -> None:
    model = load_model(OWN)
    assert load_model(model.text) == model
    state = state_of(profile(1, own={"behind": 1.0, "pilot": False}), profile(2, counted={"posts": 4}))
    verdict = assess(state, NOW, model)
    by_name = {measure.name: measure for measure in verdict.measures}
    assert (by_name["own.behind"].score, by_name["own.behind"].reason) == (80, "Behind: 1")
    assert [cap.name for cap in verdict.caps] == ["few"]
    assert verdict.plan.variant == ""
    observe_profile(state, profile(3, own={"pilot": True}))
    assert assess(state, NOW, model).plan.variant in ("", "piloting")
    state.own["pilot"] = OwnFact((NOW, 1), value=True)
    assert assess(state, NOW, model).plan.variant == "piloting"


def test_a_condition_that_needs_an_own_fact_that_is_not_known_is_named() -> None:
    state = state_of(profile(1, counted={"posts": 4}))
    assert assess(state, NOW, load_model(OWN)).doubts == (
        "Cap few: the condition !own.pilot can't be judged: own.pilot not known",
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("own: {x: {kind: nmber}}", "7:11: own.x.kind: 'nmber' is none of the choices; use number, date"),
        ("own: {x: {}}", "own.x: kind is missing; add `kind: …`"),
        ("own: {X: {kind: number}}", "own.X: 'X' is not a name"),
        ("own: {x: {kind: count}}", "own.x: count without days; add `days: 30`, 90 at most"),
        ("own: {x: {kind: count, days: 91}}", "own.x.days: 91 is out of range; make it 90 or less"),
        ("own: {x: {kind: users, days: 60}}", "own.x: users of 60 days; make it 32 days or less"),
        ("own: {x: {kind: number, days: 3}}", "own.x: days of a number; leave days out"),
        ("own: {x: {kind: flag, unit: h}}", "own.x: the unit of a flag"),
        ("own: {x: {kind: number, forget_after: 36h}}", "own.x: forget_after is no number of whole days"),
        ("own: {x: {kind: count, days: 3, forget_after: 3d}}", "own.x: forget_after of a counter"),
        ("own: {x: {kind: number, unt: h}}", "own.x.unt: no such key; did you mean unit?"),
        ("caps: {a: {limit: 1, measure: own.x, below: 1}}", "no such measure: own.x; declare it: `own: {x"),
        ("own: {behind: {kind: number}}\ncaps: {a: {limit: 1, measure: own.behnd, below: 1}}",
         "no such measure: own.behnd; did you mean own.behind?"),
        ("applies: {when: own.x > 1.0}", "no such fact: own.x; declare it: `own: {x: {kind: number}}`"),
        ("own: {vip: {kind: flag}}\napplies: {when: own.vp}", "no such fact: own.vp; did you mean vip?"),
        ("own: {vip: {kind: flag}}\napplies: {when: own.vip > 1}", "true or false has no order"),
        ("own: {behind: {kind: number}}\napplies: {when: own.behind}", "a number where true or false"),
        ("own: {behind: {kind: number}}\napplies: {when: 'own.behind == \"3\"'}", "write 3 without quotes"),
    ],
)  # fmt: skip
def test_faults_of_own_facts_are_found(line: str, said: str) -> None:
    assert said in "\n".join(faults(f"{SMALL}{line}\n"))


def test_own_facts_may_choose_accounts() -> None:
    text = f"{SMALL}own: {{vip: {{kind: flag}}}}\napplies: {{when: own.vip}}\n"
    applies = load_model(text).applies
    assert applies is not None
    found = [applies.to(View(state_of(profile(own={"vip": vip})), NOW)) for vip in (True, False, None)]
    assert found == [True, False, False]
    assert check_model(text).warnings == ()
