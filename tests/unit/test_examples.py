"""The examples run, and what the documentation shows is what they print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from examples.sql_sessions import QUESTIONS, in_duckdb, in_psql, publish, written
from examples.writeback_sessions import hubspot_limit, salesforce_refusals
from tests.support.product_source import ROOT

SINKS = ROOT / "docs" / "sinks"


def cells(table: str) -> list[list[str]]:
    """Return the rows of a table that psql or DuckDB printed, numbers without trailing zeros."""
    rows = [re.split(r"[|│]", line.strip("│")) for line in table.splitlines() if re.search("[|│]", line)]
    found = [[cell.strip().replace("NULL", "") for cell in row] for row in rows]
    types = {"date", "int64", "double", "varchar"}
    return [
        [re.sub(r"(\.\d*?)0+$", r"\1", cell).rstrip(".") for cell in row]
        for row in found
        if not set(row) <= types
    ]


@pytest.mark.services
def test_psql_and_duckdb_give_the_same_answers(tmp_path: Path) -> None:
    with written(publish(accounts=10, days=35), tmp_path) as (url, folder):
        for question in QUESTIONS:
            psql, lake = cells(in_psql(url, question.postgres)), cells(in_duckdb(folder, question.lake))
            assert len(psql) > 1
            assert psql == lake, question.words


def test_the_page_of_sessions_asks_these_questions() -> None:
    page = (SINKS / "sessions.md").read_text()
    for question in QUESTIONS:
        assert question.words in page
        assert question.postgres in page
        assert question.lake in page


def test_the_page_on_write_back_shows_what_the_examples_print() -> None:
    page = (SINKS / "writeback.md").read_text()
    assert f"```\n{salesforce_refusals()}\n```" in page
    assert f"```\n{hubspot_limit()}\n```" in page
