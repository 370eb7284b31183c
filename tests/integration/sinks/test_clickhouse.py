"""The ClickHouse sink on the engine itself (chdb): views, types, queries, and a server that is away."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import clickhouse_connect
import pytest

from sinks.clickhouse.settings import ClickHouseSettings
from sinks.clickhouse.sink import ClickHouseSink
from sinks.port import Rejected, SinkError
from tests.support.http_receiver import HttpReceiver, answer, hang, reset
from tests.support.output_records import AT, alert, health, kpis
from tests.support.product_source import ROOT


@pytest.fixture
def database() -> Iterator[tuple[ClickHouseSettings, Any]]:
    settings = ClickHouseSettings(url="chdb://memory", database=f"t{uuid.uuid4().hex[:10]}")
    client = clickhouse_connect.get_client(dsn="chdb://memory")
    yield settings, client
    client.command(f"DROP DATABASE IF EXISTS {settings.database}")
    client.close()


def test_views_have_the_newest_and_no_deleted_account(database: tuple[ClickHouseSettings, Any]) -> None:
    settings, client = database
    with closing(ClickHouseSink(settings)) as sink:
        sink.open()
        sink.open()  # the tables are there
        sink.write([health("a", 1, 10.0), health("b", 1), kpis("a", {"x": 1.5}), alert("al1", 1)])
        sink.write([health("a", 2, 80.0), health("b", 2, deleted=True), alert("al1", 2, "resolved")])
        sink.write([health("a", 1, 10.0)])  # again

    name = settings.database
    rows = client.query(
        f"SELECT account_id, score, as_of, measures[1].name FROM {name}.latest_account_health"
    )
    ((account, score, as_of, measure),) = rows.result_rows
    assert (account, score, as_of.timestamp() * 1000, measure) == ("a", 80.0, AT + 2, "usage.drop")
    alerts = client.query(f"SELECT alert_id, change FROM {name}.latest_risk_alerts").result_rows
    assert alerts == [("al1", "resolved")]
    assert client.query(f"SELECT count() FROM {name}.account_health FINAL").result_rows == [(4,)]


def test_a_column_that_a_release_adds_is_added(database: tuple[ClickHouseSettings, Any]) -> None:
    settings, client = database
    with closing(ClickHouseSink(settings)) as sink:
        sink.open()
        client.command(f"ALTER TABLE {settings.database}.account_health DROP COLUMN stage")
        sink.open()
        sink.write([health("a")])
    stages = client.query(f"SELECT stage FROM {settings.database}.account_health").result_rows
    assert stages == [("live",)]


@pytest.mark.parametrize("record", [health("bad", sequence=2**63), health("bad", as_of=-1)])
def test_a_record_that_no_table_holds_is_named(database: tuple[ClickHouseSettings, Any], record: Any) -> None:
    settings, _ = database
    with closing(ClickHouseSink(settings)) as sink:
        sink.open()
        with pytest.raises(Rejected) as rejected:
            sink.write([alert(), health("a"), record])
        assert rejected.value.index == 2


def test_the_queries_of_the_page_run(database: tuple[ClickHouseSettings, Any]) -> None:
    settings, client = database
    with closing(ClickHouseSink(settings)) as sink:
        sink.open()
        sink.write([health(f"a{n}", n, float(n)) for n in range(1, 60)])
        sink.write([alert(f"al{n}", n, "resolved") for n in range(1, 6)])
    page = (ROOT / "docs" / "sinks" / "clickhouse.md").read_text()
    (block,) = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    client.command(f"USE {settings.database}")
    client.database = settings.database
    queries = [query for query in block.split(";") if query.strip()]
    assert len(queries) == 4
    for query in queries:
        assert client.query(query).result_rows, query


@pytest.mark.conformance("reset", sink="clickhouse")
@pytest.mark.conformance("hang", sink="clickhouse")
@pytest.mark.conformance("away", sink="clickhouse")
def test_a_server_that_is_away_fails_or_hangs_is_tried_again() -> None:
    with HttpReceiver() as server:
        url = f"clickhouse://u:secret@127.0.0.1:{server.port}"
        with closing(ClickHouseSink(ClickHouseSettings(url=url, timeout_seconds=1))) as sink:
            for fault in (answer(500), reset, hang):
                server.otherwise = fault
                with pytest.raises(SinkError, match="check clickhouse") as failed:
                    sink.write([health("a")])
                assert "secret" not in str(failed.value)
            server.close()
            with pytest.raises(SinkError):
                sink.open()
