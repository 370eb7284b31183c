"""Templates of write-back: what they may name of an account."""

from __future__ import annotations

from sinks.writeback.template import FIELDS, account_values, rendered
from tests.support.output_records import health
from tests.support.product_source import ROOT


def test_the_page_has_every_name() -> None:
    page = (ROOT / "docs/sinks/writeback.md").read_text()
    assert [name for name in FIELDS if f"`{name}`" not in page] == []


def test_a_payment_risk_is_sent_as_a_number_and_in_words() -> None:
    unpaid = health(involuntary_score=41.5, involuntary_reasons=["Two payments failed", "Card ends"])
    item = {"left": "{involuntary_score}", "why": "Payments: {involuntary_reasons}"}
    assert rendered(item, account_values(unpaid)) == {
        "left": 41.5, "why": "Payments: Two payments failed; Card ends"
    }  # fmt: skip
    assert rendered(item, account_values(health())) == {"left": None, "why": "Payments: "}
