"""What a condition reads, and what is refused as one."""

from __future__ import annotations

import pytest

from processors.model.plan.conditions import ConditionError, compile_condition

MEASURES = ("usage.drop", "support.urgent")


@pytest.mark.parametrize(
    ("text", "account", "measures"),
    [
        ("true", (), ()),
        ('account.segment in ["smb", "mid"] && account.seats > 10', ("segment", "seats"), ()),
        ("has(account.plan) && usage.drop < 0.5 && usage.drop > 0.1", ("plan",), ("usage.drop",)),
        ('account.plan.startsWith("pro") || size(account.plan) == 3', ("plan",), ()),
        (r'account.plan == r"a\b" || account.plan == "x = y.map(z)"', ("plan",), ()),
        ("account.seats > 10 // all that many", ("seats",), ()),
    ],
)
def test_a_condition_names_what_it_reads(
    text: str, account: tuple[str, ...], measures: tuple[str, ...]
) -> None:
    condition = compile_condition(text, MEASURES)
    assert (condition.account, condition.measures) == (account, measures)


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        ("account.plan = 'a'", "a single =", "compare with =="),
        ("account.plan ==", "not CEL at character 16, ", "see docs/model.md"),
        ("lower(account.plan) == 'a'", "no such function: lower", "use one of contains, endsWith, has, "),
        ("account.plan.lower() == 'a'", "no such function: lower", "use one of contains, endsWith, has, "),
        ("account.pla == 'a'", "no such fact: account.pla", "did you mean plan?"),
        ("account['plan'] == 'a'", "no such fact or measure: account", ""),
        ("usage.dropp < 1.0", "no such fact or measure: usage.dropp", "did you mean usage.drop?"),
        ("usage.drop.x < 1.0", "no such fact or measure: usage.drop.x", "did you mean usage.drop?"),
        ("[1].map(account, true) == [true]", "a condition has no loops", ""),
        ("[1].exists (x, x > 0)", "a condition has no loops", ""),
        ("1 + 1", "neither true nor false", "compare a fact"),
    ],
)
def test_what_is_no_condition_is_refused_with_the_fix(text: str, message: str, fix: str) -> None:
    with pytest.raises(ConditionError) as caught:
        compile_condition(text, MEASURES)
    assert str(caught.value).startswith(message)
    assert caught.value.fix.startswith(fix)
