"""What is shown to people: numbers, and an account's measures as tables."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from bellbuoy.query.account import Explanation
from bellbuoy.render.explanation import informing_table, render_explanation, score_table
from bellbuoy.render.formats import amount, number
from processors.model import DEFAULT
from schemas.records import Measure
from tests.support.output_records import AT, health


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0"), (1_234, "1,234"), (-0.5, "-0.5"), (0.33333, "0.3333"), (0.99998, "1"), (0.00001, "0"),
     (1.005, "1.00"), (1_234.567, "1,234.57")],
)  # fmt: skip
def test_a_number_has_four_decimals_below_one_and_two_above(value: float, expected: str) -> None:
    assert number(value) == expected


def test_measures_that_inform_stand_in_a_table_of_their_own() -> None:
    common = {"value": 0.25, "unit": "ratio", "score": None, "contribution": 0.0}
    counted = Measure(name="usage.depth", weight=9.0, reason="3 features", **common)
    informs = Measure(name="usage.unused", weight=0.0, reason="3 of 12 features not used", **common)
    console = Console(width=160, record=True, file=io.StringIO())

    console.print(score_table([counted], [], []), *informing_table([informs]))

    above, below = console.export_text().split("Known beside it")
    assert "usage.depth" in above
    assert "usage.unused" not in above
    assert "usage.depth" not in below
    assert all(text in below for text in ("usage.unused", "0.25", "ratio", "28 days", "3 of 12 features"))
    assert list(informing_table([])) == []


def test_what_takes_the_most_of_a_product_stands_first_whatever_its_weight() -> None:
    common = {"value": 1.0, "unit": "ratio", "reason": "so"}
    heavy = Measure(name="usage.year", weight=40.0, score=100.0, contribution=0.0, **common)
    light = Measure(name="usage.week", weight=5.0, score=0.0, contribution=-4.0, **common)
    unknown = Measure(name="usage.gap", weight=9.0, score=None, contribution=0.0, **common)
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(score_table([unknown, heavy, light], [], []))
    text = console.export_text()
    assert text.index("usage.week") < text.index("usage.year") < text.index("usage.gap")


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (1, "days of 7", "1 day of 7"),
        (1, "weighted days", "1 weighted day"),
        (2, "tickets", "2 tickets"),
        (0.5, "hours", "0.5 hours"),
        (1, "ratio of usual", "1 ratio of usual"),
        (1, "0 no, 1 yes", "1 0 no, 1 yes"),
    ],
)
def test_one_of_a_unit_is_in_the_singular(value: float, unit: str, words: str) -> None:
    assert amount(value, unit) == words


def test_a_merged_account_says_so_first() -> None:
    merged = health("old", band="unknown", score=0.0, name="Old GmbH", merged_into="new")
    console = Console(width=100, record=True)
    console.print(render_explanation(Explanation(merged, [], []), AT))
    first, second, *_ = console.export_text().splitlines()
    assert first.startswith("Old GmbH")
    assert second.strip() == "merged into new: explain that account"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"model_version": DEFAULT.version, "coverage": 0.13},
            f"13% of the weights are known, {DEFAULT.plan.min_coverage:.0%} are needed",
        ),
        ({"model_version": DEFAULT.version, "coverage": 0.7}, "70% of the weights are known\n"),
        (
            {
                "model_version": DEFAULT.version,
                "coverage": 0.9,
                "measures": [
                    Measure(
                        name="usage.gap",
                        value=None,
                        unit="usual gaps",
                        score=None,
                        weight=10,
                        contribution=0,
                        reason="No product usage seen yet",
                    )
                ],
            },
            "90% of the weights are known; what is not known could change the band: usage.gap\n",
        ),
        ({"model": "mine", "coverage": 0.2}, "20% of the weights are known; for a band the model asks for"),
        ({"band": "watch", "coverage": 0.2}, "20% of the weights are known\n"),
    ],
)
def test_an_unknown_band_comes_with_the_coverage_that_it_needs(fields: dict[str, Any], words: str) -> None:
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(render_explanation(Explanation(health("new", **{"band": "unknown"} | fields), [], []), AT))

    text = "\n".join(line.rstrip() for line in console.export_text().splitlines())
    assert words in text


def test_a_calibrated_account_says_how_probably_it_leaves() -> None:
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(render_explanation(Explanation(health("a", churn_probability=0.125), [], []), AT))
    assert "12.5% within 90 days" in console.export_text()


def test_a_payment_risk_is_told_with_its_reasons() -> None:
    def told(**fields: Any) -> str:
        console = Console(width=140, record=True, file=io.StringIO())
        console.print(render_explanation(Explanation(health("a", **fields), [], []), AT))
        return " ".join(console.export_text().split())

    failed = told(involuntary_score=41.5, involuntary_reasons=["Two [b]payments[/b] failed", "Card ends"])
    assert (
        "payment risk 58.5 of 100 points, which nobody decided: Two [b]payments[/b] failed; Card ends"
        in failed
    )
    assert "payment risk none" in told(involuntary_score=100.0)
    assert "payment risk" not in told()
