"""Every KPI has measures, every measure of the default model has a KPI, and the page shows real output."""

from __future__ import annotations

import io

from rich.console import Console

from bellbuoy.docs.kpis_page import KPIS
from bellbuoy.render.explanation import breakdown, informing
from processors.measures import MEASURES
from schemas.records import Measure


def test_every_measure_answers_a_kpi() -> None:
    assert {name for names in KPIS.values() for name in names} == set(MEASURES)


def test_what_informs_stands_in_a_table_of_its_own() -> None:
    common = {"value": 0.25, "unit": "ratio", "score": None, "contribution": 0.0}
    counted = Measure(name="usage.depth", weight=9.0, reason="3 features", **common)
    beside = Measure(name="usage.unused", weight=0.0, reason="3 of 12 features not used", **common)
    console = Console(width=160, record=True, file=io.StringIO())

    console.print(breakdown([counted], [], []), *informing([beside]))

    above, below = console.export_text().split("Known beside it")
    assert "usage.depth" in above
    assert "usage.unused" not in above
    assert "usage.depth" not in below
    assert all(said in below for said in ("usage.unused", "0.25", "ratio", "28 days", "3 of 12 features"))
    assert list(informing([])) == []
