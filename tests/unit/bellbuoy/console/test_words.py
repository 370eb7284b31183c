"""Words and numbers of the pages."""

from __future__ import annotations

from bellbuoy.console.words import FILTERS, sparkline
from schemas.times import DAY, HOUR, MINUTE
from sinks.serving import HistoryEntry

NOW = 20_000 * DAY + 5


def test_times_are_short() -> None:
    age, ahead = FILTERS["age"], FILTERS["ahead"]
    passed = (0, 59_000, 4 * MINUTE, 3 * HOUR, 40 * HOUR, 12 * DAY)
    assert [age(NOW - one, NOW) for one in passed] == ["now", "now", "4 min", "3 h", "40 h", "12 d"]
    assert [ahead(NOW + one, NOW) for one in (0, DAY, -3 * DAY)] == ["today", "in 1 d", "3 d ago"]
    renewal = FILTERS["renewal"]
    said = [renewal(NOW + one, NOW) for one in (0, DAY, -3 * DAY)]
    assert [*said, renewal(None, NOW)] == ["renews today", "renews in 1 d", "renewal 3 d ago", ""]
    assert (age(None, NOW), ahead(None, NOW), FILTERS["day"](None)) == ("", "", "")
    assert FILTERS["day"](NOW) == "4 Oct 2024"
    assert FILTERS["moment"](10**17) == str(10**17)


def test_amounts_are_short_and_name_their_currency() -> None:
    money = FILTERS["money"]
    amounts = [(95_000, "EUR"), (8_210_000, "EUR"), (240_000_000, "USD"), (1_234_500, "JPY"), (5, None)]
    assert [money(*one) for one in amounts] == ["950 EUR", "82.1k EUR", "2.4m USD", "1.2m JPY", "0"]
    assert FILTERS["sums"]({"EUR": 100, "USD": 500_000}) == "5,000 USD + 1 EUR"
    assert FILTERS["sums"]({}) == "0"


def test_changes_have_a_sign() -> None:
    assert [FILTERS["signed"](one) for one in (None, 0.0, 2.5, -38.5)] == ["new", "0", "+2.5", "\u221238.5"]


def test_a_trend_is_drawn_as_steps() -> None:
    def at(days: int, score: float) -> HistoryEntry:
        return HistoryEntry(as_of=NOW - days * DAY, version=1, score=score, band="watch")

    assert sparkline([], NOW) == ""
    line = sparkline([at(60, 90), at(28, 100), at(14, 0)], NOW)
    assert line == "2.0,5.2 2.0,5.2 2.0,3.0 48.0,3.0 48.0,25.0 94.0,25.0"
