"""The lists of the console: the order of a book, its filters, and the views of the inbox."""

from __future__ import annotations

from typing import Any

import pytest

from bellbuoy.console.book import BookFilter, book
from bellbuoy.console.inbox import InboxFilter, inbox
from bellbuoy.console.live import Picture
from schemas.times import DAY
from sinks.serving import HistoryEntry, summary
from tests.support.output_records import alert, health, kpis

NOW = 20_000 * DAY + 1


def entry(day: int, score: float) -> HistoryEntry:
    return HistoryEntry(as_of=NOW - day * DAY, version=100 - day, score=score, band="watch")


def picture(*accounts: Any, alerts: Any = (), **trends: Any) -> Picture:
    return Picture(
        "demo",
        accounts={one.account_id: one for one in accounts},
        trends=trends,
        alerts={one.alert_id: one for one in alerts},
    )


def ids(shown: Picture, query: str = "", **wanted: str) -> list[str]:
    return [row.account.account_id for row in book(shown, BookFilter.of(wanted), NOW).rows]


def test_money_at_risk_and_its_fall_come_first() -> None:
    small = summary(health("small", 1, 20.0, arr_minor=100_000))
    large = summary(health("large", 1, 20.0, arr_minor=900_000))
    well = summary(health("well", 1, 95.0, arr_minor=9_000_000))
    fell = summary(health("fell", 1, 20.0, arr_minor=600_000))
    unknown = summary(health("unknown", 1, 0.0, band="unknown", arr_minor=10**9))
    shown = picture(small, well, large, fell, unknown, fell=(entry(9, 50), entry(1, 20)))
    assert ids(shown) == ["fell", "large", "small", "well", "unknown"]
    (row, *_) = book(shown, BookFilter(), NOW).rows
    assert (row.change, row.changed_since) == (-30.0, NOW - 9 * DAY)


def test_an_account_without_arr_counts_with_the_median() -> None:
    accounts = [summary(health(f"a{n}", 1, 40.0, arr_minor=n * 100_000)) for n in (1, 3, 5)]
    bare = summary(health("bare", 1, 30.0, arr_minor=None))
    assert ids(picture(*accounts, bare)) == ["a5", "bare", "a3", "a1"]


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        ({"owner": "ben"}, ["b"]),
        ({"segment": "enterprise"}, ["b"]),
        ({"band": "critical"}, ["a"]),
        ({"lane": "billing"}, ["b"]),
        ({"renewal": "30"}, ["a"]),
        ({"payment_risk": "1"}, ["b"]),
        ({"q": "  GMBH ben "}, ["b"]),
        ({"q": "ann"}, ["a"]),
        ({"churned": "1", "sort": "name"}, ["a", "b", "gone"]),
        ({"band": "nonsense", "sort": "nonsense", "n": "-3", "renewal": "soon"}, ["a", "b"]),
        ({"owner": "nobody"}, []),
    ],
)
def test_filters_leave_what_fits(wanted: dict[str, str], left: list[str]) -> None:
    renews = kpis("a", {"billing.renewal": 12.0})
    at = (NOW - renews.as_of) // DAY
    a = summary(health("a", 1, 10.0, arr_minor=500_000), kpis("a", {"billing.renewal": 12.0 + at}))
    b = summary(health("b", 1, 60.0, owner="ben", segment="enterprise", involuntary_score=41.5))
    gone = summary(health("gone", 1, 5.0, stage="churned"))
    shown = picture(a, b, gone, alerts=[alert("x", account_id="b", lane="billing")])
    assert ids(shown, **wanted) == left


def test_finance_finds_the_largest_payment_risk_first() -> None:
    def at(account: str, left: float | None, arr: int = 1) -> Any:
        return summary(health(account, 1, 90.0, involuntary_score=left, arr_minor=arr))

    shown = picture(
        at("none", 100.0), at("untold", None), at("some", 80.0), at("small", 20.0), at("big", 20.0, 9)
    )
    assert ids(shown, sort="payment_risk", payment_risk="1") == ["big", "small", "some"]
    risks = {row.account.account_id: row.payment_risk for row in book(shown, BookFilter(), NOW).rows}
    assert risks == {"none": 0.0, "untold": 0.0, "some": 20.0, "small": 80.0, "big": 80.0}


def test_the_address_says_the_filter_and_nothing_else() -> None:
    wanted = BookFilter.of(
        {"owner": "Ines Marrow", "band": "at_risk", "payment_risk": "1", "churned": "1", "n": "50"}
    )
    assert wanted.query() == "owner=Ines+Marrow&band=at_risk&payment_risk=1&churned=1"
    assert BookFilter.of({}).query() == ""
    assert "n=150" in wanted.more


def test_a_book_counts_all_that_fit_and_shows_as_many_as_asked() -> None:
    shown = picture(*(summary(health(f"a{n:03}", 1, 10.0)) for n in range(120)))
    page = book(shown, BookFilter.of({}), NOW)
    assert (len(page.rows), page.found, page.bands["critical"]) == (50, 120, 120)
    assert page.at_risk == page.arr == {"EUR": 120 * 1_200_000}


def test_alerts_are_new_taken_or_snoozed() -> None:
    shown = picture(
        alerts=[
            alert("new", severity="notice"),
            alert("worse", severity="critical"),
            alert("taken", acknowledged_by="kim", acknowledged_at=1),
            alert("asleep", snoozed_until=NOW + 1, acknowledged_by="kim"),
            alert("awake", snoozed_until=NOW - 1),
        ]
    )

    def of(**wanted: str) -> list[str]:
        return [one.alert_id for one in inbox(shown, InboxFilter.of(wanted), NOW).alerts]

    assert of() == ["worse", "awake", "new"]
    assert (of(view="taken"), of(view="snoozed")) == (["taken"], ["asleep"])
    assert inbox(shown, InboxFilter(), NOW).counts == {"new": 3, "taken": 1, "snoozed": 1, "all": 5}
    assert of(view="all", severity="critical") == ["worse"]
    assert of(view="all", q="40 % acme", owner="ann") == ["worse", "asleep", "awake", "taken", "new"]
    assert of(owner="somebody") == []
