"""The lake sink: each record is in one file exactly once, whatever is killed, and DuckDB reads the files."""

from __future__ import annotations

import random
import re
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyarrow import parquet

from schemas.connection import Connection
from schemas.times import DAY
from schemas.topics import Topics
from sinks.columns import TABLES
from sinks.lake import sink as lake_sink
from sinks.lake.settings import LakeSettings
from sinks.lake.sink import LakeSink
from sinks.port import Output, Rejected, SetBackError, SinkError
from tests.support.delivery import delivering, done, publish, set_back_offsets
from tests.support.forked_role import ForkedRole
from tests.support.output_records import AT, alert, health, kpis
from tests.support.product_source import ROOT
from tests.support.role_processes import role_settings
from tests.support.waiting import until

PARTS = ["account.health/0", "risk.alerts/0"]


def distinct(count: int) -> list[Output]:
    """Return records of 40 accounts, no two of one version."""
    outputs: list[Output] = []
    for n in range(1, count + 1):
        outputs.append(health(f"a{n % 40}", n, float(n % 89), as_of=AT + n * DAY // 50))
        if n % 3 == 0:
            outputs.append(kpis(f"a{n % 40}", {"usage.depth": float(n)}, n))
        if n % 5 == 0:
            outputs.append(alert(f"al{n}", n, account_id=f"a{n % 40}"))
    return outputs


def rows(path: Path) -> Counter[tuple[str, str, int]]:
    """Return how often each record is in the files."""
    found: Counter[tuple[str, str, int]] = Counter()
    for folder in TABLES.values():
        for file in (path / folder).glob("day=*/*.parquet"):
            table = parquet.read_table(file).to_pylist()
            found.update((folder, row["account_id"], row["sequence"]) for row in table)
    return found


def expected(outputs: list[Output]) -> Counter[tuple[str, str, int]]:
    return Counter((TABLES[type(o)], o.account_id, o.sequence) for o in outputs)  # type: ignore[union-attr]


def test_files_lie_by_day_and_types_are_kept(tmp_path: Path) -> None:
    settings = LakeSettings(path=tmp_path / "lake")
    with closing(LakeSink(settings)) as sink:
        sink.open()
        sink.write([health("acme", 1, 12.5), health("acme", 2, 13.0, as_of=AT + DAY), alert("al1")])

    found = duckdb.sql(
        "SELECT account_id, score, day, as_of, caps[1].name, measures[1].contribution "
        f"FROM read_parquet('{tmp_path}/lake/account_health/*/*.parquet', hive_partitioning = true) "
        "ORDER BY score"
    ).fetchall()
    assert [(row[0], row[1], str(row[2]), row[4], row[5]) for row in found] == [
        ("acme", 12.5, "2025-06-15", "cancel", 12.5),
        ("acme", 13.0, "2025-06-16", "cancel", 13.0),
    ]
    assert found[0][3].timestamp() * 1000 == AT + 1


@pytest.mark.parametrize("record", [health("bad", sequence=2**63), health("bad", as_of=-1)])
def test_a_record_that_no_file_can_hold_is_named(tmp_path: Path, record: Output) -> None:
    with closing(LakeSink(LakeSettings(path=tmp_path / "lake"))) as sink:
        sink.open()
        with pytest.raises(Rejected) as rejected:
            sink.write([health("a"), record, health("b")])
        assert rejected.value.index == 1
        sink.write([health("a"), health("b")])

    assert rows(tmp_path / "lake") == expected([health("a"), health("b")])


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        closing(LakeSink(LakeSettings(path=tmp_path / "file"))) as sink,
        pytest.raises(SinkError, match=r"lake\.path"),
    ):
        sink.open()


@pytest.mark.parametrize("step", ["_replace", "_finish", "_write_durably"])
def test_a_kill_at_any_step_leaves_each_record_once(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = LakeSettings(path=tmp_path / "lake", file_records=1)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    sink = LakeSink(settings)
    sink.open()
    sink.resume(PARTS)
    sink.write([health("a"), alert("al1")])
    with monkeypatch.context() as patch:
        patch.setattr(lake_sink if step == "_write_durably" else LakeSink, step, killed)
        with pytest.raises(KeyboardInterrupt):
            sink.reached({"account.health/0": 1, "risk.alerts/0": 1})

    with closing(LakeSink(settings)) as later:
        later.open()
        positions = later.resume(PARTS)
        assert positions == dict.fromkeys(PARTS, 1 if step == "_finish" else 0)
        if step != "_finish":
            later.write([health("a"), alert("al1")])
            later.reached({"account.health/0": 1, "risk.alerts/0": 1})
    assert rows(tmp_path / "lake") == expected([health("a"), alert("al1", account_id="acme")])
    assert list((tmp_path / "lake" / "_new").iterdir()) == []


def test_what_was_gathered_beyond_the_positions_is_not_written_twice(tmp_path: Path) -> None:
    settings = LakeSettings(path=tmp_path / "lake")
    sink = LakeSink(settings)
    sink.open()
    sink.resume(PARTS)
    sink.write([health("a")])
    sink.reached({"account.health/0": 1})
    sink.write([health("b")])  # and then delivery dies
    sink.close()

    assert rows(tmp_path / "lake") == expected([health("a")])
    assert LakeSink(settings).positions() == {"account.health/0": 1, "risk.alerts/0": 0}


def test_lost_positions_are_noticed_and_clearing_puts_files_aside(tmp_path: Path) -> None:
    settings = LakeSettings(path=tmp_path / "lake", file_records=1)
    with closing(LakeSink(settings)) as sink:
        sink.open()
        sink.resume(PARTS)
        sink.write([health("a")])
        sink.reached({"account.health/0": 1})
        assert sink.entries() == 1
        counted: list[int] = []
        LakeSink(settings).clear(counted.append)
        assert counted == [1]
        with pytest.raises(SetBackError):
            sink.reached({})
        assert sink.resume(PARTS) == dict.fromkeys(PARTS, 0)
    assert rows(tmp_path / "lake") == Counter()
    assert len(list((tmp_path / "lake" / "_cleared").rglob("*.parquet"))) == 1


@pytest.mark.services
def test_each_record_once_though_roles_are_killed(
    bootstrap: Connection, topics: Topics, tmp_path: Path
) -> None:
    settings, outputs = (
        LakeSettings(path=tmp_path / "lake", file_records=150, file_seconds=1.0),
        distinct(1_500),
    )
    publish(bootstrap, topics, outputs)
    role = role_settings(
        bootstrap, topics, tmp_path, delivery={"batch_records": 50}, lake=settings.model_dump(mode="json")
    )
    process = ForkedRole("deliver", role, tmp_path / "log")
    draw = random.Random(3)
    for _ in range(4):
        process.start()
        try:
            enough = rows(settings.path).total() + draw.randrange(100, 400)
            until(
                lambda n=enough: rows(settings.path).total() >= n or rows(settings.path) == expected(outputs)
            )
        finally:
            process.kill()
        assert max(rows(settings.path).values()) == 1

    with delivering(bootstrap, topics, LakeSink(settings)), delivering(bootstrap, topics, LakeSink(settings)):
        until(lambda: done(bootstrap, topics, LakeSink(settings)))
        until(lambda: rows(settings.path) == expected(outputs), what="each record once")
    assert rows(settings.path) == expected(outputs)


@pytest.mark.services
def test_a_kill_between_the_position_and_the_offset_repeats_nothing(
    bootstrap: Connection, topics: Topics, tmp_path: Path
) -> None:
    settings, outputs = LakeSettings(path=tmp_path / "lake", file_records=1), distinct(200)
    publish(bootstrap, topics, outputs)
    with delivering(bootstrap, topics, LakeSink(settings)):
        until(lambda: done(bootstrap, topics, LakeSink(settings)))
    set_back_offsets(bootstrap, topics, LakeSink(settings), 3)

    publish(bootstrap, topics, more := distinct(230)[len(outputs) :])
    with delivering(bootstrap, topics, LakeSink(settings)):
        until(lambda: rows(settings.path).keys() >= expected(more).keys(), what="what is new")
    assert rows(settings.path) == expected(outputs + more)


def test_the_queries_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(LakeSink(LakeSettings(path=tmp_path / "lake"))) as sink:
        sink.open()
        sink.write(distinct(400))
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "sinks" / "lake.md").read_text()
    (block,) = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    queries = [query for query in block.split(";") if query.strip()]
    assert len(queries) >= 4
    database = duckdb.connect()
    for query in queries:
        answer = database.sql(query)
        assert "CREATE VIEW" in query or (answer is not None and answer.fetchall()), query
