"""A condition that passes the check of types is judged for every account of which all is known."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.model.plan.conditions import Condition, ConditionError, compile_condition
from processors.state.account import State, Subscription, stamp
from processors.view import View
from schemas.times import DAY
from tests.support.generators import NOW

MEASURES = ("usage.drop", "support.urgent")

LEAVES = st.sampled_from(
    [
        "account.plan", "account.segment", "account.status", "account.seats", "account.tenure_days",
        "usage.drop", "support.urgent", "true", "false", "null", "3", "2u", "-1", "0.5", '"pro"', "r'a'",
        '"active"', "has(account.plan)", "[]", '["pro", "smb"]', "[1, 2.5]", '{"pro": 1}', 'b"x"',
    ]
)  # fmt: skip
BINARY = ("&&", "||", "==", "!=", "<", "<=", ">", ">=", "in", "+", "-", "*")


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(inner, st.sampled_from(BINARY), inner)
    return st.one_of(
        pairs.map(" ".join),
        inner.map(lambda one: f"({one})"),
        inner.map(lambda one: f"!({one})"),
        inner.map(lambda one: f"-({one})"),
        inner.map(lambda one: f"size({one})"),
        inner.map(lambda one: f"double({one})"),
        st.tuples(inner, inner, inner).map(lambda three: "({}) ? ({}) : ({})".format(*three)),
        st.tuples(inner, st.sampled_from(("contains", "startsWith", "matches")), inner).map(
            lambda three: "({}).{}({})".format(*three)
        ),
        st.tuples(inner, inner).map(lambda two: "({})[{}]".format(*two)),
    )


def _accounts() -> list[View]:
    views = []
    for seats, plan, days in ((0, "", 0), (50, "pro", 400), (7, "enterprise", 3)):
        state = State(tenant="acme", account_id="a")
        state.profile = {"segment": (stamp(1, ""), plan), "seats": (stamp(1, ""), seats)}
        state.usage.first_at = NOW - days * DAY
        state.billing.subscriptions["s"] = Subscription(stamp(1, ""), plan=plan, seats=seats)
        views.append(View(state, NOW))
    return views


def _compiled(text: str) -> Condition | None:
    try:
        condition = compile_condition(text, MEASURES)
    except ConditionError:
        return None
    return None if condition.faults else condition


@given(st.recursive(LEAVES, _grown, max_leaves=8))
def test_a_condition_without_faults_is_judged(text: str) -> None:
    condition = _compiled(text)
    if condition is None:
        return
    for view in _accounts():
        for value in (0.0, 0.5, 60.0):
            measures = dict.fromkeys(condition.measures, value)
            assert condition.holds(view, measures) is not None, text
