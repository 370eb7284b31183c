"""
Three questions of a head of customer success, in psql and in DuckDB: `python -m examples.sql_sessions`.

A simulated company of some customers lives for some months; its health, KPIs and alerts are written by the
sinks, to a Postgres of the example's own and to Parquet files. ``--write`` puts the sessions into
docs/sinks/sessions.md.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from bellbuoy.backtest.fold import journal_batch
from bellbuoy.local.embedded import Postgres
from bellbuoy.simulator.worlds.world import load_world
from processors.fold.partition import FoldedPartition
from processors.fold.shared import Shared
from sinks.lake.settings import LakeSettings
from sinks.port import Output, Sink
from sinks.postgres.settings import PostgresSettings
from sinks.postgres.sink import PostgresSink

__all__ = ["QUESTIONS", "Question", "in_duckdb", "in_psql", "publish", "written"]

_PAGE = Path(__file__).parents[1] / "docs" / "sinks" / "sessions.md"
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Question:
    """A question, with the query that answers it in Postgres and over the lake's files."""

    words: str
    postgres: str
    lake: str


_HEALTH_VIEW = """CREATE VIEW health AS SELECT * FROM 'lake/account_health/*/*.parquet';"""
_KPIS_VIEW = """CREATE VIEW kpis AS SELECT * FROM 'lake/account_kpis/*/*.parquet';"""

QUESTIONS = (
    Question(
        "How many of the customers of each month are still with us, and how much of their revenue?",
        """SELECT cohort, accounts, active, logo_retention, gross_retention, net_retention
FROM retention_by_cohort ORDER BY cohort DESC LIMIT 8;""",
        """WITH newest AS (
  SELECT * FROM kpis
  QUALIFY row_number() OVER (PARTITION BY tenant, account_id ORDER BY as_of DESC, sequence DESC) = 1),
measure AS (SELECT account_id, as_of, unnest(measures) AS m FROM newest WHERE NOT deleted),
known AS (
  SELECT account_id, as_of,
    max(m.value) FILTER (m.name = 'revenue.tenure') AS months,
    max(m.value) FILTER (m.name = 'revenue.before') AS before,
    max(m.value) FILTER (m.name = 'revenue.gross_retention') AS gross,
    max(m.value) FILTER (m.name = 'revenue.net_retention') AS net,
    max(m.value) FILTER (m.name = 'billing.cancellation') AS cancellation
  FROM measure GROUP BY ALL)
SELECT date_trunc('month', as_of - to_seconds(months * 2629746))::DATE AS cohort,
  count(*) AS accounts, count(*) FILTER (coalesce(cancellation, 0) < 2) AS active,
  round(avg((coalesce(cancellation, 0) < 2)::INT), 4) AS logo_retention,
  round(sum(before * gross) / sum(before) FILTER (gross IS NOT NULL), 4) AS gross_retention,
  round(sum(before * net) / sum(before) FILTER (net IS NOT NULL), 4) AS net_retention
FROM known WHERE months IS NOT NULL GROUP BY cohort ORDER BY cohort DESC LIMIT 8;""",
    ),
    Question(
        "Whose score fell most in four weeks, and why?",
        """SELECT name, owner, score_28d, score, round(change_28d::numeric, 2) AS change,
  left(first_reason, 42) AS reason
FROM movers WHERE change_28d < 0 ORDER BY change_28d, account_id LIMIT 5;""",
        """WITH dated AS (SELECT *, max(as_of) OVER () AS now FROM health),
newest AS (
  SELECT * FROM dated WHERE NOT deleted
  QUALIFY row_number() OVER (PARTITION BY tenant, account_id ORDER BY as_of DESC, sequence DESC) = 1),
earlier AS (
  SELECT * FROM dated WHERE as_of <= now - INTERVAL 28 DAYS
  QUALIFY row_number() OVER (PARTITION BY tenant, account_id ORDER BY as_of DESC, sequence DESC) = 1)
SELECT n.name, n.owner, e.score AS score_28d, n.score, round(n.score - e.score, 2) AS change,
  left(n.reasons[1], 42) AS reason
FROM newest n JOIN earlier e USING (tenant, account_id)
WHERE n.score < e.score ORDER BY n.score - e.score, account_id LIMIT 5;""",
    ),
    Question(
        "Of which owners is the most annual revenue at risk?",
        """SELECT owner, accounts, accounts_at_risk, arr, arr_at_risk, share_at_risk, currency
FROM arr_at_risk_by_owner ORDER BY arr_at_risk DESC, owner LIMIT 5;""",
        """WITH newest AS (
  SELECT *, band IN ('critical', 'at_risk') AS at_risk FROM health
  QUALIFY row_number() OVER (PARTITION BY tenant, account_id ORDER BY as_of DESC, sequence DESC) = 1)
SELECT owner, count(*) AS accounts, count(*) FILTER (at_risk) AS accounts_at_risk,
  sum(arr_minor) / 100 AS arr, coalesce(sum(arr_minor) FILTER (at_risk), 0) / 100 AS arr_at_risk,
  round(coalesce(sum(arr_minor) FILTER (at_risk), 0) / sum(arr_minor), 4) AS share_at_risk, currency
FROM newest WHERE NOT deleted AND merged_into IS NULL
GROUP BY owner, currency ORDER BY arr_at_risk DESC, owner LIMIT 5;""",
    ),
)


def publish(accounts: int, days: int, seed: int = 7, start: int | None = None) -> list[Output]:
    """
    Return all that is published of a simulated company, in the order of its journal.

    It lives from ``start`` on, UTC milliseconds, or from the day that its file says.
    """
    partition, outputs = FoldedPartition(0, Shared()), list[Output]()
    for day in load_world("saas", seed, accounts, days, start).days_of_events():
        for outcome in partition.apply([(day.number, journal_batch(day))]):
            for records in (outcome.health, outcome.kpis, outcome.alerts):
                outputs += [record for _, record in records]
    return outputs


@contextmanager
def written(outputs: Sequence[Output], folder: Path) -> Iterator[tuple[str, Path]]:
    """Write outputs to a Postgres and to ``lake/`` in the folder; yield the address and the folder."""
    server = Postgres(folder / "postgres")
    server.start()
    try:
        postgres = PostgresSink(PostgresSettings(url=server.url))
        postgres.migrate(lambda _: None)
        for sink in (postgres, LakeSettings(path=folder / "lake", file_records=10_000_000).sink()):
            _write(sink, outputs)
        yield server.url, folder
    finally:
        server.stop()


def in_psql(url: str, query: str) -> str:
    """Return what psql answers to a query."""
    command: list[str | Path] = [
        Postgres.programs() / "psql",
        url,
        "-X",
        "-P",
        "pager=off",
        "-c",
        "SET search_path = bellbuoy",
        "-q",
        "-c",
        query,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.rstrip()


def in_duckdb(folder: Path, query: str) -> str:
    """Return what DuckDB answers to a query, in the folder that holds ``lake/``."""
    with duckdb.connect() as database:
        database.execute(f"SET TimeZone = 'UTC'; SET file_search_path = '{folder}'")
        database.execute(_HEALTH_VIEW + _KPIS_VIEW)
        return str(database.sql(query)).rstrip()


def page(accounts: int, days: int) -> str:
    """Return the page with both sessions."""
    with (
        tempfile.TemporaryDirectory(prefix="bellbuoy-") as name,
        written(publish(accounts, days), Path(name)) as (url, folder),
    ):
        psql = "\n\n".join(
            f"-- {q.words}\nbellbuoy=> {q.postgres}\n{in_psql(url, q.postgres)}" for q in QUESTIONS
        )
        lake = "\n\n".join(f"-- {q.words}\nD {q.lake}\n{in_duckdb(folder, q.lake)}" for q in QUESTIONS)
    return f"""# Three questions, in psql and in DuckDB

Recorded by `python -m examples.sql_sessions --write` of a simulated company: {accounts} customers, {days}
days. The sinks wrote the same records to [Postgres](postgres.md) and to [the lake](lake.md), so both give
the same answers.

## psql

The views of the schema `bellbuoy` have the answers.

```text
{psql}
```

## DuckDB

Started in the folder that holds `lake/`.

```text
D {_HEALTH_VIEW}
D {_KPIS_VIEW}

{lake}
```
"""


def _write(sink: Sink, outputs: Sequence[Output]) -> None:
    with closing(sink):
        sink.open()
        for start in range(0, len(outputs), _BATCH):
            sink.write(outputs[start : start + _BATCH])


def main() -> None:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(prog="examples.sql_sessions", description="Three questions in SQL.")
    parser.add_argument("--accounts", type=int, default=40, help="customers of the simulated company")
    parser.add_argument("--days", type=int, default=130, help="days that it lives")
    parser.add_argument("--write", action="store_true", help="write docs/sinks/sessions.md")
    chosen = parser.parse_args()
    text = page(chosen.accounts, chosen.days)
    if chosen.write:
        _PAGE.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
