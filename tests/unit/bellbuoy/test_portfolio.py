"""A portfolio in words and as data, without a Redis."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pytest
from rich.console import Console

from bellbuoy.query.portfolio import NoAccountsError, as_data, portfolio
from bellbuoy.render.portfolio import render_portfolio
from sinks.serving import summary
from tests.support.output_records import health


def some(*records: Any) -> list[Any]:
    return [summary(record) for record in records]


def shown(found: Any) -> str:
    console = Console(width=100, file=io.StringIO())
    console.print(render_portfolio(found))
    return console.file.getvalue()


def test_no_account_is_an_error_that_says_so() -> None:
    with pytest.raises(NoAccountsError, match="tenant demo has no scored account"):
        portfolio([], "demo", "mean")


def test_one_account_is_a_portfolio() -> None:
    found = portfolio(some(health()), "demo", "mean")

    assert as_data(found)["score"] == 50.0
    assert "demo  1 account\n" in shown(found)


def test_where_nothing_is_known_a_dash_stands() -> None:
    found = portfolio(
        some(health("new", band="unknown", arr_minor=None), health("gone", stage="churned")), "demo", "arr"
    )

    assert (as_data(found)["score"], found.worst) == (None, [])
    said = shown(found)
    assert "- by ARR · - by mean" in said
    assert "unknown 1" in said
    assert "0 of 0" in said


def test_what_customers_write_is_not_markup() -> None:
    odd = health("[bold]", owner="[red]x", segment="[s]", parent_id="[up]", currency="[E]")

    said = shown(portfolio(some(odd), "demo", "mean", ("segment", "[s]")))

    for word in ("[bold]", "[red]x", "segment [s]", "[up]", "[E]"):
        assert word in said, said


def test_more_parents_than_fit_are_counted() -> None:
    accounts = [health(f"a{n:02}", score=n, parent_id=f"p{n:02}") for n in range(20)]

    found = portfolio(some(*accounts), "demo", "mean")

    assert "… and 5 more (--json has all)" in shown(found)
    assert [one["id"] for one in as_data(found)["parents"]] == [f"p{n:02}" for n in range(20)]
    assert orjson.dumps(as_data(found))


def test_an_owner_s_part_of_a_group_is_found_below_accounts_of_others() -> None:
    accounts = [
        health("north", score=10.0, parent_id="holding", owner="ben"),
        health("oslo", score=70.0, parent_id="north"),
    ]

    found = portfolio(some(*accounts), "demo", "mean", ("owner", "ann"))

    assert [(group.id, group.rolled.accounts, group.rolled.mean) for group in found.parents] == [
        ("holding", 1, 70.0),
        ("north", 1, 70.0),
    ]


def test_where_no_account_has_any_the_hint_says_so() -> None:
    with pytest.raises(NoAccountsError, match="no parent 'x'; no account of it names one"):
        portfolio(some(health()), "demo", "mean", ("parent", "x"))


def test_a_part_of_an_owner_s_name_in_any_case_will_do_where_it_means_one() -> None:
    accounts = some(health("a1", owner="Ines Marrow"), health("a2", owner="Ida Marrow"), health("a3"))

    found = portfolio(accounts, "demo", "mean", ("owner", "ines"))

    assert [one.account_id for one in found.worst] == ["a1"]
    with pytest.raises(NoAccountsError, match="no owner 'marrow'; did you mean Ida Marrow, Ines Marrow"):
        portfolio(accounts, "demo", "mean", ("owner", "marrow"))


def test_a_calibrated_model_adds_how_probably_the_worst_leave() -> None:
    found = portfolio(some(health("a", churn_probability=0.25), health("b")), "demo", "mean")

    assert "Leaves in 90 days" in shown(found)
    assert "25%" in shown(found)
    assert {one["account_id"]: one["churn_probability"] for one in as_data(found)["worst_accounts"]} == {
        "a": 0.25, "b": None,
    }  # fmt: skip
    assert "Leaves" not in shown(portfolio(some(health()), "demo", "mean"))


def test_a_payment_risk_is_told_of_the_worst_accounts() -> None:
    failed = health("a", involuntary_score=41.5, involuntary_reasons=["Two payments failed"])
    found = portfolio(some(failed, health("b", involuntary_score=100.0), health("c")), "demo", "mean")

    assert "Payment risk" in shown(found)
    assert "58.5" in shown(found)
    told = {one["account_id"]: one for one in as_data(found)["worst_accounts"]}
    assert [told[name]["involuntary_score"] for name in "abc"] == [41.5, 100.0, None]
    assert [told[name]["involuntary_reasons"] for name in "abc"] == [["Two payments failed"], [], []]
    assert "Payment" not in shown(portfolio(some(health("b", involuntary_score=100.0)), "demo", "mean"))
