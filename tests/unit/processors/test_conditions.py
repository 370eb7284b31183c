"""What a condition reads, and what is refused as one."""

from __future__ import annotations

import pytest

from processors.model.plan.conditions import ConditionError, compile_condition

MEASURES = ("usage.drop", "support.urgent")


@pytest.mark.parametrize(
    ("text", "facts", "measures"),
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
    text: str, facts: tuple[str, ...], measures: tuple[str, ...]
) -> None:
    condition = compile_condition(text, MEASURES)
    assert tuple(condition.facts) == tuple(f"account.{name}" for name in facts)
    assert condition.measures == measures
    assert condition.faults == ()


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        ("account.plan = 'a'", "a single =", "compare with =="),
        ("account.plan ==", "the condition ends too early", "write the rest of it"),
        ("(account.seats > 5", "no ) at character 19", "close what is open"),
        ("account.seats > 5)", "a ) too many at character 18", "leave it out"),
        ("account.seats > 5;", "; means nothing at character 18", "leave it out"),
        ("account.seats > 99999999999999999999", "a number", "write a smaller one"),
        ("if account.seats > 5", "if is no name at character 1", "leave it out, and write && or ||"),
        ("health.score < 50.0", "no such fact or measure: health.score", "ask it in an alert rule"),
        (
            "lower(account.plan) == 'a'",
            "no such function: lower",
            "use one of contains, double, endsWith, has, ",
        ),
        (
            "account.plan.lower() == 'a'",
            "no such function: lower",
            "use one of contains, double, endsWith, has, ",
        ),
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


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        ('account.seats > "40"', "a whole number and text can't be compared", "write 40 without quotes"),
        ('account.seats > "many"', "a whole number and text", "compare account.seats with a number"),
        ("account.segment > 10", "text and a whole number can't be compared", 'write "10" in quotes'),
        ("account.segment", "text where true or false is needed", "compare it, such as account.seg"),
        ("true || account.seats", "a whole number where true or false is needed", "compare it"),
        ("account.stage in []", "nothing is in an empty list", "write the values in [ ]"),
        ("account.status > 'active'", "words are ordered by their letters", "list those that are meant"),
        ("1 > 2", "it never holds", "compare a fact, such as account.segment == 'smb'"),
        ("!account.plan", "text where true or false is needed", "compare it"),
        ("usage.drop", "a number where true or false is needed", "compare it, such as usage.drop > 0.0"),
        ('account.plan in "pro"', '"pro" is text, no list', 'write account.plan in ["pro"], or '),
        ("account.plan in [1, 2]", "text is never in a list of a whole number", "list texts, in quotes"),
        ('account.plan in ["a", 1]', "text and a whole number in one list", "give all items one type"),
        ('account.plan.matches("a(")', "no regular expression, unclosed group", "correct it"),
        ("account.plan.matches(account.segment)", "the pattern is not written out", "write it in quotes"),
        ('matches(account.plan, "a")', "matches is asked of a text", 'write account.plan.matches("a")'),
        ('"pro" in account.plan', "text, no list", 'write "pro" in [account.plan], or account.plan.c'),
        ("account.plan.contains(account.seats)", "a whole number, where text is needed", "give it a text"),
        ("account.seats > (3 > 2)", "true or false has no order", "compare it with =="),
        ("account.plan.startsWith(1)", "a whole number, where text is needed", "write it in quotes"),
        ('account.seats.contains("1")', "account.seats is a whole number, no text", "ask it of a text"),
        ("account.plan == null", "what is not known is not null", "write !has(account.plan)"),
        ('account.status == "cancelled"', 'it is never "cancelled"', "did you mean canceled?"),
        ('account.currency in ["EUR", "usd"]', 'it is never "usd"', 'write "USD"'),
        ('account.status in ["active", "paused"]', 'it is never "paused"', "use one of active, canceled, c"),
        ("40 < account.seats < 60", "true or false has no order", "write 40 < account.seats && acc"),
        ("usage.drop * 2 < 3.0", "a number and a whole number are not reckoned together", "write 2.0"),
        ("account.seats * usage.drop > 1.0", "are not reckoned together", "write double(account.seats)"),
        ("account.seats / 0 > 1", "a division by zero", "divide by another number"),
        ("account.seats + account.plan > 1", "account.plan is text, no number", "use numbers"),
        ("account.seats > 1 ? account.plan : 3", "text or a whole number", "give both branches"),
        ("size(account.seats) > 1", "a whole number has no size", "ask the size of a text or a list"),
        ('account.plan[0] == "p"', "a condition picks no parts by [ ]", "name the fact itself"),
        ("account.plan == true", "text and true or false can't be compared", 'write "true" in quotes'),
        # in a branch that is never taken
        ('true || account.seats > "40"', "a whole number and text can't be compared", "write 40"),
        ('false ? account.seats > "4" : true', "a whole number and text can't be compared", "write 4"),
    ],
)  # fmt: skip
def test_a_fault_of_types_is_found_wherever_it_stands(text: str, message: str, fix: str) -> None:
    [fault] = compile_condition(text, MEASURES).faults
    assert message in fault.message
    assert fault.fix.startswith(fix)
    assert fault.late


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        ('account.plan == "a" and account.seats > 1', "and at character 21", "write &&"),
        ('account.plan == "and" OR true', "OR at character 23", "write ||"),
        ("not account.seats > 1", "not at character 1", "write !"),
        ("account.seats > 1 & true", "& at character 19", "write &&"),
        ("account.seats <> 1", "<> at character 15", "write !="),
        ("account.seats === 1", "=== at character 15", "write =="),
        ("account.seats => 1", "=> at character 15", "write >="),
        ("account.renewal_days < 30d", "30d at character 24", "write 30, in the unit of the fact"),
        ("account.plan == None", "no such fact or measure: None", "ask !has(account.plan)"),
        ("account.seats > 1 == True", "no such fact or measure: True", "write true"),
        ('account.plan in ("a", "b")', "( at character 17", "write the list in [ ]"),
        ('account.plan like "pro%"', "like at character 14", "write account.plan.contains"),
        ('account.plan matches "a"', "matches at character 14", "write account.plan.matches"),
        ('account.plan =~ "a"', "=~ at character 14", "write account.plan.matches"),
        ("account.seats between 1 and 5", "between at character 15", "write account.seats >= 1 && "),
        ("account.plan is not null", "is at character 14", "write has(account.plan)"),
        ("account.seats > 1_000", "1_000 at character 17", "write 1000"),
        ('account.plan == "pro', "the text at character 17 has no end", "close it with the quote"),
        (r'account.plan.matches("\d+")', "a backslash in the text at character 22", 'write r"…"'),
    ],
)
def test_words_of_other_languages_are_translated(text: str, message: str, fix: str) -> None:
    with pytest.raises(ConditionError) as caught:
        compile_condition(text, MEASURES)
    assert str(caught.value) == message
    assert caught.value.fix.startswith(fix)


def test_all_faults_of_a_condition_are_listed() -> None:
    with pytest.raises(ConditionError) as caught:
        compile_condition('account.pla == "a" && account.seats > "4"', MEASURES)
    assert [fault.fix for fault in caught.value.faults] == ["did you mean plan?", "write 4 without quotes"]


def test_what_has_asks_for_is_not_needed() -> None:
    assert compile_condition("has(account.plan) || account.seats > 3", MEASURES).needs == ("account.seats",)
