"""Files of the lake compared with Kafka account by account, and put right: the past stays as it was."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from pyarrow import Table, parquet

from bellbuoy.operations.delivery.reconcile import compare, find_reconcilable, repair
from bellbuoy.settings import load
from schemas.connection import Connection
from schemas.topics import Topics
from tests.support.delivery import delivering, publish
from tests.support.output_records import health
from tests.support.waiting import until

pytestmark = pytest.mark.services


def test_what_was_lost_changed_doubled_or_left_over_is_named_and_put_right(
    bootstrap: Connection, topics: Topics, tmp_path: Path
) -> None:
    settings = load(
        kafka={"bootstrap": str(bootstrap), "topic_prefix": topics.prefix, "partitions": topics.partitions},
        lake={"path": tmp_path, "file_seconds": 0.3},
    )
    assert settings.lake
    old = [health(f"c{n}", 100 + n, 50.0) for n in range(5)]
    new = [health(f"c{n}", 200 + n, 20.0, owner="eve") for n in range(5)]
    publish(bootstrap, topics, [*old, *new, health("gone", 300, deleted=True)])
    with delivering(bootstrap, topics, settings.lake.sink()):
        until(lambda: len(rows(tmp_path)) == 11)

    with closing(find_reconcilable(settings, "lake")) as sink:
        sink.open()
        same = compare(settings, sink)
        assert same.published == same.entries == {"account.health": 5, "account.kpis": 0}
        assert same.differences == []

        before = rows(tmp_path)
        change(tmp_path)
        publish(bootstrap, topics, [health("c0", 400)])  # it is not delivered yet: no difference
        found = compare(settings, sink)
        assert [(each.account[1], each.kind) for each in found.differences] == [
            ("c1", "different"),
            ("c2", "different"),
            ("c3", "different"),
            ("ghost", "left_over"),
        ]
        assert repair(settings, sink, found) == 4
        assert compare(settings, sink).differences == []
        assert rows(tmp_path) == before


def rows(lake: Path) -> list[tuple[str, int, float, str | None]]:
    """Return account, sequence, score and owner of every row."""
    found = []
    for file in lake.glob("account_health/day=*/*.parquet"):
        found += [
            (row["account_id"], row["sequence"], row["score"], row["owner"])
            for row in parquet.read_table(file, partitioning=None).to_pylist()
        ]
    return sorted(found)


def change(lake: Path) -> None:
    """Lose the newest row of c1, change that of c2, write that of c3 twice, and two of nobody's."""
    for file in list(lake.glob("account_health/day=*/*.parquet")):
        table = parquet.read_table(file, partitioning=None)
        kept: list[dict[str, object]] = []
        for row in table.to_pylist():
            match row["account_id"], row["sequence"]:
                case "c1", 201:
                    continue
                case "c2", 202:
                    row["owner"] = "mallory"
                case "c3", 203:
                    kept.append(row)
                case "c4", 204:
                    kept += ghost(row)
            kept.append(row)
        parquet.write_table(Table.from_pylist(kept, schema=table.schema), file)


def ghost(row: dict[str, object]) -> Sequence[dict[str, object]]:
    return [row | {"account_id": "ghost", "sequence": number} for number in (3, 4)]
