"""A roll-up stays within what went in, knows no order and no unit of money, and no circle holds it up."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from processors.portfolio import Hierarchy, peer_rank, roll_up, worst
from sinks.serving import summary
from tests.support.output_records import health as record


def health(*given: Any, **fields: Any) -> Any:
    return summary(record(*given, **fields))


@st.composite
def accounts(draw: st.DrawFn, least: int = 0) -> Any:
    hundredths = draw(st.lists(st.integers(0, 10_000), min_size=least, max_size=12))
    return [
        health(
            f"a{n}",
            score=score / 100,
            stage=draw(st.sampled_from(("live", "live", "live", "churned"))),
            segment=draw(st.sampled_from((None, "smb", "smb", "enterprise"))),
            arr_minor=draw(st.none() | st.integers(0, 10**12)),
            currency=draw(st.sampled_from(("EUR", "JPY", None))),
            parent_id=draw(st.none() | st.sampled_from([f"a{m}" for m in range(12)])),
            **({"band": "unknown"} if draw(st.integers(0, 4)) == 0 else {}),
        )
        for n, score in enumerate(hundredths)
    ]


def known(given: list[Any]) -> list[float]:
    return [one.score for one in given if one.stage != "churned" and one.band != "unknown"]


@given(accounts())
def test_a_score_lies_between_the_lowest_and_the_highest(given: list[Any]) -> None:
    found, scores = roll_up(given), known(given)

    assert (found.mean is None) == (not scores)
    for score in (found.mean, found.by_arr, *(found.quartiles or ())):
        if score is not None:
            assert min(scores) <= score <= max(scores)
    assert sum(found.bands.values()) == found.accounts == len(given) - found.churned


@given(st.data())
def test_the_order_does_not_matter(data: st.DataObject) -> None:
    given = data.draw(accounts())
    other = data.draw(st.permutations(given))

    assert roll_up(other) == roll_up(given)
    assert [worst(other, 5, by) for by in ("mean", "arr")] == [worst(given, 5, by) for by in ("mean", "arr")]


@given(accounts(), st.integers(1, 10_000), st.integers(1, 10_000))
def test_the_unit_of_money_does_not_matter(given: list[Any], euro: int, yen: int) -> None:
    factor = {"EUR": euro, "JPY": yen, None: 1}
    scaled = [
        replace(one, arr_minor=None if one.arr_minor is None else one.arr_minor * factor[one.currency])
        for one in given
    ]

    assert roll_up(scaled).by_arr == roll_up(given).by_arr
    assert [one.account_id for one in worst(scaled, 5, "arr")] == [
        one.account_id for one in worst(given, 5, "arr")
    ]


@given(accounts(least=1))
def test_equal_amounts_weigh_as_the_mean_does(given: list[Any]) -> None:
    even = [replace(one, arr_minor=1_000) for one in given]

    assert roll_up(even).by_arr == roll_up(even).mean


@given(accounts())
def test_a_group_meets_each_account_once(given: list[Any]) -> None:
    hierarchy = Hierarchy(given)

    for parent in hierarchy.parents:
        ids = [one.account_id for one in hierarchy.group(parent)]
        assert len(ids) == len(set(ids))
        assert {one.account_id for one in given if one.parent_id == parent != one.account_id} <= set(ids)


@given(accounts(), st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_higher_score_never_has_a_lower_percentile(given: list[Any], one: int, other: int) -> None:
    lower, higher = (peer_rank(health("own", score=at / 100), given) for at in sorted((one, other)))

    assert lower is not None
    assert higher is not None
    assert lower.peers == higher.peers
    if lower.percentile is not None and higher.percentile is not None:
        assert 0 <= lower.percentile <= higher.percentile <= 100
