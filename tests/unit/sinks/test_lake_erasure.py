"""An account or a person is erased from the lake's files, while a sink writes and whatever is killed."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyarrow import parquet

from sinks.lake.settings import LakeSettings
from sinks.lake.sink import LakeSink
from sinks.port import SetBackError, Subject
from tests.support.output_records import AT, alert, health

PART = "account.health/0"
AMBER = Subject("demo", "amber", ("amber",), AT + 10)


def lake(folder: Path) -> LakeSink:
    return LakeSink(LakeSettings(path=folder, file_records=3))


def filled(folder: Path) -> LakeSink:
    """Return a running sink that has written three records and gathered one more of the account."""
    sink = lake(folder)
    sink.open()
    sink.resume([PART])
    sink.write(
        [
            health("amber", 1, 50.0, as_of=AT + 1),
            health("other", 2, 60.0, as_of=AT + 2, owner="ann@x.example"),
            alert("one", 3, account_id="other", acknowledged_by="ann@x.example", note="ann@x.example did"),
        ]
    )
    sink.reached({PART: 3})
    sink.write([health("amber", 4, 50.0, as_of=AT + 4)])
    return sink


def rows(folder: Path) -> list[str]:
    files = [file for file in folder.rglob("*.parquet") if "_new" not in file.parts]
    return [repr(row) for file in files for row in parquet.read_table(file, partitioning=None).to_pylist()]


def erase(folder: Path, subject: Subject, *, dry_run: bool = False) -> dict[str, int]:
    other = lake(folder)
    other.open()
    found = other.erase(subject, dry_run=dry_run)
    other.close()
    return found


def test_an_account_leaves_the_files_and_a_running_sink_reads_again(tmp_path: Path) -> None:
    running = filled(tmp_path)
    assert erase(tmp_path, AMBER, dry_run=True) == {"rows": 1, "files": 1}
    assert len(rows(tmp_path)) == 3
    assert erase(tmp_path, AMBER) == {"rows": 1, "files": 1}
    assert [row for row in rows(tmp_path) if "amber" in row] == []
    assert len(rows(tmp_path)) == 2
    with pytest.raises(SetBackError, match="rewritten for an erasure"):
        running.reached({})
    assert running.resume([PART]) == {PART: 3}  # what it had gathered comes again
    running.reached({})
    assert erase(tmp_path, AMBER) == {"rows": 0, "files": 0}


def test_later_records_stay_and_put_aside_files_are_rewritten(tmp_path: Path) -> None:
    running = filled(tmp_path)
    running.close()
    running.open()
    running.clear(lambda _: None)
    assert erase(tmp_path, AMBER._replace(until=AT)) == {"rows": 0, "files": 0}
    assert erase(tmp_path, AMBER)["rows"] > 0
    assert [row for row in rows(tmp_path) if "amber" in row] == []


def test_a_person_is_named_no_more_and_rows_stay(tmp_path: Path) -> None:
    filled(tmp_path)
    assert erase(tmp_path, Subject("demo", None, ("ann@x.example",), 0)) == {"rows": 2, "files": 2}
    assert not [row for row in rows(tmp_path) if "ann@" in row]
    assert len(rows(tmp_path)) == 3
    assert sum("'erased'" in row for row in rows(tmp_path)) == 2


def test_a_killed_erasure_is_finished_by_the_next_that_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path)
    other = lake(tmp_path)
    other.open()
    replace = other._replace

    def die_after(commit: object) -> None:
        replace(commit)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(other, "_replace", die_after)
    with pytest.raises(KeyboardInterrupt):
        other.erase(AMBER)
    assert [row for row in rows(tmp_path) if "amber" in row]
    lake(tmp_path).open()
    assert [row for row in rows(tmp_path) if "amber" in row] == []
    assert len(rows(tmp_path)) == 2
