"""The Iceberg sink: each record once whatever is killed, compaction by others, reading with DuckDB."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table

from bellbuoy.local.role_process import RoleProcess
from schemas.connection import Connection
from schemas.topics import Topics
from sinks.columns import TABLES
from sinks.iceberg.settings import IcebergSettings
from sinks.iceberg.sink import IcebergSink
from sinks.port import Rejected, SetBackError, SinkError, Subject
from tests.support.delivery import delivering, done, publish
from tests.support.output_records import AT, alert, health, kpis
from tests.support.role_processes import role_settings
from tests.support.waiting import until

PARTS = ["account.health/0", "risk.alerts/0"]


def settings(folder: Path, **changes: Any) -> IcebergSettings:
    return IcebergSettings(
        catalog=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}/tables", **changes
    )


def tables(its: IcebergSettings) -> dict[str, Table]:
    catalog = SqlCatalog("bellbuoy", uri=its.catalog, warehouse=its.warehouse)
    return {name: catalog.load_table(f"bellbuoy.{name}") for name in TABLES.values()}


def rows(its: IcebergSettings) -> Counter[tuple[str, str, int]]:
    """Return how often each record is in the tables."""
    return Counter(
        (name, row["account_id"], row["sequence"])
        for name, table in tables(its).items()
        for row in table.scan(selected_fields=("account_id", "sequence")).to_arrow().to_pylist()
    )


def test_duckdb_reads_records_with_their_nested_parts(tmp_path: Path) -> None:
    its = settings(tmp_path)
    with closing(IcebergSink(its)) as sink:
        sink.open()
        sink.write([health("acme", 1, 12.5), kpis("acme", {"x": 1.0}), alert("al1")])

    scanned = tables(its)["account_health"].scan().to_arrow()
    database = duckdb.connect()
    database.register("health", scanned)
    query = "SELECT account_id, score, caps[1].name, epoch_ms(as_of) FROM health"
    assert database.sql(query).fetchall() == [("acme", 12.5, "cancel", health("acme", 1).as_of)]


def test_what_a_kill_leaves_is_there_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    its = settings(tmp_path, file_records=1)
    sink = IcebergSink(its)
    sink.open()
    sink.resume(PARTS)
    sink.write([health("a"), alert("al1", account_id="a")])
    append, times = Table.append, iter([True, False])

    def killed(table: Table, *args: Any, **named: Any) -> None:
        if not next(times):
            raise KeyboardInterrupt
        append(table, *args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Table, "append", killed)
        with pytest.raises(KeyboardInterrupt):  # between two tables
            sink.reached({"account.health/0": 1, "risk.alerts/0": 1})

    with closing(IcebergSink(its)) as later:
        later.open()
        assert later.resume(PARTS) == {"account.health/0": 1, "risk.alerts/0": 0}
        later.write([alert("al1", account_id="a")])
        later.reached({"account.health/0": 1, "risk.alerts/0": 1})
        assert later.positions() == {"account.health/0": 1, "risk.alerts/0": 1}
    assert rows(its) == Counter({("account_health", "a", 1): 1, ("risk_alerts", "a", 1): 1})


def test_compaction_by_another_engine_keeps_the_positions(tmp_path: Path) -> None:
    its = settings(tmp_path, file_records=1)
    with closing(IcebergSink(its)) as sink:
        sink.open()
        sink.resume(PARTS)
        for sequence in (1, 2):
            sink.write([health("a", sequence)])
            sink.reached({"account.health/0": sequence})
        table = tables(its)["account_health"]
        table.overwrite(table.scan().to_arrow())
        sink.write([health("a", 3)])
        sink.reached({"account.health/0": 3})
        assert sink.positions() == {"account.health/0": 3}
    assert rows(its).total() == 3


def test_lost_content_is_noticed_and_clearing_keeps_older_snapshots(tmp_path: Path) -> None:
    its = settings(tmp_path, file_records=1)
    with closing(IcebergSink(its)) as sink:
        sink.open()
        sink.resume(PARTS)
        sink.write([health("a")])
        sink.reached({"account.health/0": 1})
        counted: list[int] = []
        with closing(IcebergSink(its)) as other:
            other.clear(counted.append)
        assert counted == [1]
        with pytest.raises(SetBackError):
            sink.reached({})
        assert sink.resume(PARTS) == dict.fromkeys(PARTS, 0)
    table = tables(its)["account_health"]
    assert table.scan().count() == 0
    assert table.scan(snapshot_id=table.snapshots()[0].snapshot_id).count() == 1


def test_what_is_read_and_not_written_moves_the_position(tmp_path: Path) -> None:
    its = settings(tmp_path, file_records=1, file_seconds=0.001)
    with closing(IcebergSink(its)) as sink:
        sink.open()
        sink.resume(PARTS)
        until(lambda: sink.reached({"account.health/0": 5}) or sink.positions() == {"account.health/0": 5})
        snapshots = len(tables(its)["account_health"].snapshots())
        sink.reached({"account.health/0": 5})
        assert len(tables(its)["account_health"].snapshots()) == snapshots
    assert rows(its).total() == 0


def test_an_erasure_leaves_no_file_of_before_and_keeps_the_positions(tmp_path: Path) -> None:
    its = settings(tmp_path, file_records=1)
    with closing(IcebergSink(its)) as sink:
        sink.open()
        sink.resume(PARTS)
        for sequence, account in enumerate(["amber", "other", "amber"], 1):
            sink.write([health(account, sequence)])
            sink.reached({"account.health/0": sequence})
        sink.clear(lambda _: None)  # what it held is in older snapshots alone
        sink.resume(PARTS)
        sink.write([health("other", 4)])
        sink.reached({"account.health/0": 4})
        table = tables(its)["account_health"]
        table.overwrite(table.scan().to_arrow())  # by another engine, without positions
        amber = Subject("demo", "amber", ("amber",), AT + 9)

        assert sink.erase(amber, dry_run=True)["older snapshots"] > 0
        assert sink.erase(amber)["rows"] == 0
        assert sink.positions() == {"account.health/0": 4}
        sink.write([health("other", 5)])
        sink.reached({"account.health/0": 5})
    assert rows(its) == Counter({("account_health", "other", 4): 1, ("account_health", "other", 5): 1})
    files = {str(path) for path in (tmp_path / "tables").rglob("*.parquet")}
    table = tables(its)["account_health"]
    kept = {path.removeprefix("file://") for path in table.inspect.data_files()["file_path"].to_pylist()}
    assert {path for path in files if "account_health" in path} == kept


def test_a_snapshot_that_a_tag_keeps_is_named(tmp_path: Path) -> None:
    its = settings(tmp_path, file_records=1)
    with closing(IcebergSink(its)) as sink:
        sink.open()
        sink.resume(PARTS)
        sink.write([health("amber", 1)])
        sink.reached({"account.health/0": 1})
        table = tables(its)["account_health"]
        table.manage_snapshots().create_tag(table.snapshots()[-1].snapshot_id, "audit").commit()
        with pytest.raises(SinkError, match="kept by audit: drop"):
            sink.erase(Subject("demo", "amber", ("amber",), AT + 9))


def test_two_writers_of_one_position_are_one(tmp_path: Path) -> None:
    its = settings(tmp_path, file_records=1)
    with closing(IcebergSink(its)) as one, closing(IcebergSink(its)) as two:
        one.open()
        for sink in (one, two):
            sink.resume(PARTS)
            sink.write([health("a")])
        one.reached({"account.health/0": 1})
        with pytest.raises(SetBackError):
            two.reached({"account.health/0": 1})
    assert rows(its).total() == 1


def test_a_record_that_no_table_holds_and_a_wrong_place_are_named(tmp_path: Path) -> None:
    with closing(IcebergSink(settings(tmp_path))) as sink:
        sink.open()
        with pytest.raises(Rejected) as rejected:
            sink.write([health("a"), health("bad", sequence=2**63)])
        assert rejected.value.index == 1
    (tmp_path / "file").write_text("")
    with (
        closing(IcebergSink(settings(tmp_path / "file"))) as sink,
        pytest.raises(SinkError, match=r"check iceberg\.catalog"),
    ):
        sink.open()


@pytest.mark.services
def test_each_record_once_though_delivery_is_killed(
    bootstrap: Connection, topics: Topics, tmp_path: Path
) -> None:
    its = settings(tmp_path, file_records=100, file_seconds=1.0)
    outputs = [health(f"a{n % 30}", n, float(n % 89)) for n in range(1, 801)]
    publish(bootstrap, topics, outputs)
    with closing(IcebergSink(its)) as sink:
        sink.open()
    role = role_settings(
        bootstrap, topics, tmp_path, delivery={"batch_records": 50}, iceberg=its.model_dump(mode="json")
    )
    process = RoleProcess("deliver", role, tmp_path / "log")
    draw = random.Random(5)
    for _ in range(2):
        process.start()
        try:
            enough = min(800, rows(its).total() + draw.randrange(100, 250))
            until(lambda n=enough: rows(its).total() >= n)  # type: ignore[misc]
        finally:
            process.kill()
        assert max(rows(its).values()) == 1

    with delivering(bootstrap, topics, IcebergSink(its)):
        until(lambda: done(bootstrap, topics, IcebergSink(its)))
        until(lambda: rows(its).total() >= 800)
    assert rows(its) == Counter(("account_health", each.account_id, each.sequence) for each in outputs)
