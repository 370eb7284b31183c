"""
Erasure in Iceberg tables: a snapshot without the subject, and the end of every older one that has it.

1. A snapshot without the subject is committed; it carries the positions, as all do.
2. Files that only older snapshots have are removed, where one of them has the subject.
3. Those snapshots are expired, and then their manifests are removed.

A run that was killed is finished by the next: an older snapshot whose files are gone is expired as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg import expressions
from pyiceberg.table import Table

from schemas.identity.naming import named_by, names
from schemas.times import iso
from sinks.port import SinkError, Subject
from sinks.table_erasure import without

__all__ = ["erase_from_history", "erase_rows"]

_where: Any = expressions  # its classes take positional arguments, which their types don't say


def erase_rows(table: Table, subject: Subject, properties: Mapping[str, str], *, dry_run: bool) -> int:
    """Commit a snapshot with these properties and without the subject; return the rows concerned."""
    if subject.account_id is not None:
        where = _of_account(table, subject)
        count = table.scan(row_filter=where).count()
        if count and not dry_run:
            table.delete(where, snapshot_properties=dict(properties))
        return count
    accounts = _naming_accounts(table, subject)
    if not accounts:
        return 0
    where = _where.And(_where.EqualTo("tenant", subject.tenant), _where.In("account_id", accounts))
    rows, count = without(table.scan(row_filter=where).to_arrow(), subject)
    if not dry_run:
        table.overwrite(rows, where, snapshot_properties=dict(properties))
    return count


def erase_from_history(
    table: Table, subject: Subject, properties: Mapping[str, str], *, dry_run: bool
) -> int:
    """Remove every older snapshot if one of them has the subject; return how many; raise SinkError."""
    current = table.current_snapshot()
    older = [each.snapshot_id for each in table.snapshots() if current and each != current]
    left = _data_files(table.inspect.all_data_files()) - _data_files(table.inspect.data_files())
    if not older or not any(_has(table, path, subject) for path in left):
        return 0
    tagged = sorted(name for name, ref in table.refs().items() if ref.snapshot_id in older)
    if tagged:
        raise SinkError(
            f"snapshots of {'.'.join(table.name())} that have the subject are kept by {', '.join(tagged)}: "
            "drop these tags and branches, and erase again"
        )
    if dry_run:
        return len(older)
    if not properties.items() <= _own_properties(table).items():
        table.append(table.schema().as_arrow().empty_table(), snapshot_properties=dict(properties))
        older = [each.snapshot_id for each in table.snapshots() if each != table.current_snapshot()]
    manifests = _manifests(table)
    for path in left:
        _remove(table, path)
    table.maintenance.expire_snapshots().by_ids(older).commit()
    table.refresh()
    for path in manifests - _manifests(table):
        _remove(table, path)
    return len(older)


def _of_account(table: Table, subject: Subject) -> Any:
    at = "as_of" if "as_of" in table.schema().column_names else "changed_at"
    ours = _where.And(
        _where.EqualTo("tenant", subject.tenant), _where.EqualTo("account_id", subject.account_id)
    )
    return _where.And(ours, _where.LessThanOrEqual(at, iso(subject.until).replace("Z", "+00:00")))


def _naming_accounts(table: Table, subject: Subject) -> set[str]:
    """Return the accounts with a row that names the person."""
    pattern = named_by(subject.texts)
    accounts = set()
    for batch in table.scan(row_filter=_where.EqualTo("tenant", subject.tenant)).to_arrow_batch_reader():
        accounts |= {row["account_id"] for row in batch.to_pylist() if names(row, pattern)}
    return accounts


def _has(table: Table, path: str, subject: Subject) -> bool:
    """Tell whether a data file has the subject, or isn't there any more."""
    try:
        with table.io.new_input(path).open() as file:
            rows = pq.read_table(file)
    except FileNotFoundError:
        return True
    return without(rows, subject)[1] > 0


def _own_properties(table: Table) -> Mapping[str, Any]:
    snapshot = table.current_snapshot()
    return {} if snapshot is None or snapshot.summary is None else snapshot.summary.additional_properties


def _data_files(listed: pa.Table) -> set[str]:
    return set(listed["file_path"].to_pylist())


def _manifests(table: Table) -> set[str]:
    """Return the manifests and lists of manifests of all snapshots."""
    lists = {each.manifest_list for each in table.snapshots()}
    return lists | set(table.inspect.all_manifests()["path"].to_pylist())


def _remove(table: Table, path: str) -> None:
    with suppress(FileNotFoundError):  # a run before this one removed it
        table.io.delete(path)
