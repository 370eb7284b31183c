"""Roll-ups by hand: published vectors, what is left out, hierarchies and places among peers."""

from __future__ import annotations

from typing import Any

import pytest

from processors.portfolio import Hierarchy, Retention, peer_rank, roll_up, worst
from schemas.records import AccountProfile, JournalBatch
from schemas.times import DAY
from sinks.serving import summary
from tests.support.output_records import health as record
from tests.support.output_records import kpis
from tests.support.recorded_partition import RecordedPartition


def health(*given: Any, **fields: Any) -> Any:
    return summary(record(*given, **fields))


def scored(*scores: float, **fields: Any) -> list[Any]:
    return [health(f"a{n}", score=score, **fields) for n, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("children", "mean", "shown"),
    [((10, 5, 5, 5), 6.25, "6"), ((0, 5, 5, 5), 3.75, "4")],
    ids=["6.25", "3.75"],
)
def test_planhat_s_parents_are_the_mean_of_their_companies(
    children: tuple[float, ...], mean: float, shown: str
) -> None:
    found = roll_up(scored(*children))

    assert found.mean == mean
    assert f"{found.mean:.0f}" == shown


def test_by_arr_a_large_account_weighs_more() -> None:
    accounts = [health("big", score=20.0, arr_minor=900), health("small", score=80.0, arr_minor=100)]

    found = roll_up(accounts)

    assert (found.mean, found.by_arr) == (50.0, 26.0)
    assert (found.score("mean"), found.score("arr")) == (50.0, 26.0)


def test_what_lies_between_hundredths_is_rounded_half_up() -> None:
    assert roll_up(scored(70.0, 70.01)).mean == 70.01
    assert roll_up(scored(0.0, 0.0, 0.01)).mean == 0.0


def test_no_account_has_no_score() -> None:
    found = roll_up([])

    assert (found.accounts, found.mean, found.by_arr, found.quartiles, found.worst) == (
        0,
        None,
        None,
        None,
        None,
    )
    assert set(found.bands.values()) == {0}
    assert worst([], 5, "mean") == worst([], 5, "arr") == []


def test_one_account_is_its_own_roll_up() -> None:
    found = roll_up(scored(42.5))

    assert (found.mean, found.by_arr, found.quartiles, found.worst) == (42.5, 42.5, (42.5, 42.5, 42.5), "a0")
    assert found.arr_at_risk == {"EUR": 1_200_000}


def test_unknown_and_churned_accounts_are_counted_but_not_scored() -> None:
    found = roll_up(
        [
            health("a", score=90.0),
            health("b", score=0.0, band="unknown"),
            health("c", score=5.0, stage="churned"),
        ]
    )

    assert (found.accounts, found.churned, found.mean, found.worst) == (2, 1, 90.0, "a")
    assert (found.bands["unknown"], found.bands["healthy"], found.bands["critical"]) == (1, 1, 0)
    assert (found.arr, found.arr_at_risk) == ({"EUR": 2_400_000}, {})


def test_without_any_arr_there_is_no_score_by_arr() -> None:
    found = roll_up([health("a", score=40.0, arr_minor=None), health("b", score=60.0, arr_minor=0)])

    assert (found.mean, found.by_arr, found.without_arr, found.arr) == (50.0, None, 2, {})


def test_amounts_of_different_currencies_are_not_compared() -> None:
    yen = [
        health("j1", score=10.0, arr_minor=3_000_000, currency="JPY"),
        health("j2", score=50.0, arr_minor=1_000_000, currency="JPY"),
    ]
    euro = [health("e1", score=80.0, arr_minor=100), health("e2", score=100.0, arr_minor=100)]

    found = roll_up(yen + euro)

    assert roll_up(yen).by_arr == 20.0
    assert roll_up(euro).by_arr == 90.0
    assert found.by_arr == 55.0
    assert found.arr_at_risk == {"JPY": 3_000_000}


def test_the_worst_by_arr_cost_the_score_most() -> None:
    accounts = [
        health("poor", score=10.0, arr_minor=100),
        health("rich", score=60.0, arr_minor=10_000),
        health("none", score=0.0, arr_minor=None),
        health("gone", score=0.0, stage="churned"),
        health("new", score=0.0, band="unknown"),
    ]

    assert [one.account_id for one in worst(accounts, 9, "mean")] == ["none", "poor", "rich"]
    assert [one.account_id for one in worst(accounts, 9, "arr")] == ["rich", "poor"]
    assert [one.account_id for one in worst(accounts, 1, "arr")] == ["rich"]


def test_a_group_is_the_parent_and_all_below_it() -> None:
    hierarchy = Hierarchy(
        [
            health("holding"),
            health("north", parent_id="holding"),
            health("oslo", parent_id="north"),
            health("bergen", parent_id="north"),
            health("alone"),
            health("of nobody known", parent_id="elsewhere"),
        ]
    )

    def group(parent: str) -> list[str]:
        return sorted(one.account_id for one in hierarchy.group(parent))

    assert hierarchy.parents == ["elsewhere", "holding", "north"]
    assert group("holding") == ["bergen", "holding", "north", "oslo"]
    assert group("north") == ["bergen", "north", "oslo"]
    assert group("elsewhere") == ["of nobody known"]
    assert group("alone") == group("nonsense") == []
    assert (hierarchy.parent("oslo"), hierarchy.parent("alone"), hierarchy.parent("nonsense")) == (
        "north",
        None,
        None,
    )


def test_parents_in_a_circle_are_met_once() -> None:
    hierarchy = Hierarchy(
        [
            health("a", parent_id="c"),
            health("b", parent_id="a"),
            health("c", parent_id="b"),
            health("own", parent_id="own"),
        ]
    )

    assert [sorted(one.account_id for one in hierarchy.group(parent)) for parent in "abc"] == [
        ["a", "b", "c"]
    ] * 3
    assert hierarchy.group("own") == []


def test_a_long_line_of_parents_is_followed() -> None:
    accounts = [health(str(n), parent_id=str(n - 1) if n else None) for n in range(5_000)]

    assert len(Hierarchy(accounts).group("0")) == 5_000


def test_the_percentile_counts_ties_half() -> None:
    """scipy.stats.percentileofscore([1, 2, 3, 3, 4], 3, kind="mean") is 60."""
    peers = scored(1.0, 2.0, 3.0, 3.0, 4.0)

    found = peer_rank(health("own", score=3.0), [*peers, health("own", score=3.0)])

    assert found is not None
    assert (found.segment, found.peers, found.percentile) == ("smb", 5, 60.0)


def test_the_best_is_better_than_all_and_the_worst_than_none() -> None:
    peers = scored(10.0, 20.0, 30.0, 40.0, 50.0)

    assert peer_rank(health("own", score=51.0), peers).percentile == 100.0
    assert peer_rank(health("own", score=9.0), peers).percentile == 0.0


def test_with_few_peers_there_is_no_percentile() -> None:
    found = peer_rank(health("own", score=3.0), scored(1.0, 2.0, 3.0, 4.0))

    assert found is not None
    assert (found.peers, found.percentile) == (4, None)


def test_peers_are_scored_accounts_of_the_same_segment() -> None:
    others = [
        *scored(1.0, 2.0, 3.0, 4.0, 5.0, segment="enterprise"),
        health("x", score=1.0, band="unknown"),
        health("y", score=1.0, stage="churned"),
    ]

    assert peer_rank(health("own"), others).peers == 0
    assert peer_rank(health("own", segment=None), others) is None
    assert peer_rank(health("own", band="unknown"), others) is None
    assert peer_rank(health("own", stage="churned"), others) is None


def test_an_account_s_health_says_what_stands_above_it() -> None:
    at = 20_600 * DAY
    common = {"tenant": "acme", "account_id": "oslo", "source": "test", "occurred_at": at, "received_at": at}
    profile = AccountProfile(event_id="p", parent_id="north", **common)
    partition = RecordedPartition()

    partition.add(JournalBatch(sequence=0, written_at=at, profiles=[profile]))

    assert partition.newest("oslo").parent_id == "north"


def _paying(account: str, before: float, gross: float, net: float, **fields: Any) -> Any:
    values = {"revenue.before": before, "revenue.gross_retention": gross, "revenue.net_retention": net}
    return summary(record(account, **fields), kpis(account, values))


def test_retention_is_of_what_was_paid_by_currency_and_those_who_left_count() -> None:
    accounts = [
        _paying("grew", 1_000.0, 1.0, 1.5, currency="EUR"),
        _paying("shrank", 2_000.0, 0.5, 0.5, currency="EUR"),
        _paying("left", 1_000.0, 0.0, 0.0, currency="EUR", stage="churned"),
        _paying("yen", 500.0, 1.0, 1.0, currency="JPY"),
        health("new", currency="EUR"),
    ]

    assert roll_up(accounts).retention == {
        "EUR": Retention(accounts=3, before=4_000, gross=0.5, net=0.625),
        "JPY": Retention(accounts=1, before=500, gross=1.0, net=1.0),
    }
    assert roll_up(accounts[4:]).retention == {}
