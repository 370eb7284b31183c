"""
Iceberg sink: every health, KPI and alert record in Iceberg tables, each exactly once.

Records are gathered until there are enough for a file. One snapshot then adds them to a table, and carries in
its properties the positions of the table's topic after them: content and positions are there together, or
neither is. A table that another engine compacts has newer snapshots without positions, so they are those of
the newest ancestor that has any. Two writers never append from the same position: the catalog refuses a
commit on a table that has changed since it was compared.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal

import msgspec
import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NamespaceAlreadyExistsError
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.table import Table

from schemas.records import AccountHealth, AccountKpis
from sinks.columns import TABLES, schema
from sinks.gathered_tables import GatheredTables
from sinks.iceberg.erasure import erase_from_history, erase_rows
from sinks.iceberg.removal import remove_rows
from sinks.iceberg.settings import IcebergSettings
from sinks.port import Output, SetBackError, SinkEntry, SinkError, Subject
from sinks.table_entries import entry_of, newest_entries

__all__ = ["IcebergSink"]

_POSITIONS = "bellbuoy.positions"
"""The property of a snapshot that holds positions, as JSON."""
_PROPERTIES = {
    "format-version": "2",
    # A repeated commit would skip the comparison of positions.
    "commit.retry.num-retries": "0",
}


class IcebergSink:
    """Sink of Iceberg tables (docs/sinks/iceberg.md); several members of a group may write to one catalog."""

    name = "iceberg"
    records = frozenset(TABLES)
    appends: Literal[True] = True

    def __init__(self, settings: IcebergSettings) -> None:
        self._settings = settings
        self._catalog: SqlCatalog | None = None
        self._gathered = GatheredTables(settings.file_records, settings.file_seconds)
        self._positions: dict[str, int] = {}

    def open(self) -> None:
        """Make the tables, add columns that are new, and write and remove a file; raise SinkError."""
        with self._failing():
            for kind in TABLES:
                table = self._table(kind)
                with table.update_schema() as update:
                    update.union_by_name(schema(kind))
                probe = table.io.new_output(f"{table.location()}/metadata/{uuid.uuid4().hex}.probe")
                with probe.create() as file:
                    file.write(b"")
                table.io.delete(probe.location)

    def write(self, batch: Sequence[Output], /) -> None:
        """Gather the batch; raise Rejected for a record that no table can hold."""
        self._gathered.add(batch)

    def resume(self, parts: Iterable[str], /) -> dict[str, int]:
        """Return the positions that the tables reach to, and forget what was gathered; raise SinkError."""
        self._gathered.forget()
        held = self.positions()
        self._positions = {part: held.get(part, 0) for part in sorted(parts)}
        return dict(self._positions)

    def reached(self, positions: Mapping[str, int], /) -> None:
        """Append once there is enough for it; raise SetBackError and SinkError."""
        self._gathered.cover({part: at for part, at in positions.items() if part in self._positions})
        if self._gathered.due:
            self._append()
        elif not positions:
            with self._failing():
                for kind in TABLES:
                    self._compare(kind, self._table(kind))

    def positions(self) -> dict[str, int]:
        """Return the position of every part in the tables; raise SinkError."""
        with self._failing():
            return {part: at for kind in TABLES for part, at in _positions(self._table(kind)).items()}

    def entries(self) -> int:
        """Return how many records there are; raise SinkError."""
        with self._failing():
            return sum(_records(self._table(kind)) for kind in TABLES)

    def clear(self, cleared: Callable[[int], None], /) -> None:
        """Remove every record and all positions by a new snapshot; older ones stay readable."""
        entries = self.entries()
        with self._failing():
            for kind in TABLES:
                table = self._table(kind)
                if _records(table):
                    table.delete(AlwaysTrue(), snapshot_properties={_POSITIONS: "{}"})
        cleared(entries)

    def erase(self, subject: Subject, /, *, dry_run: bool = False) -> dict[str, int]:
        """
        Commit a snapshot without an account's rows or a person's name; expire older ones that have them.

        Returns the rows and the expired snapshots; raises SinkError, also for a tag that keeps one of them.
        """
        found = {"rows": 0, "older snapshots": 0}
        with self._failing():
            for kind in TABLES:
                table = self._table(kind)
                carried = {_POSITIONS: msgspec.json.encode(_positions(table)).decode()}
                found["rows"] += erase_rows(table, subject, carried, dry_run=dry_run)
                found["older snapshots"] += erase_from_history(table, subject, carried, dry_run=dry_run)
        return found

    def entry(self, record: AccountHealth | AccountKpis, /) -> SinkEntry:
        """Return the entry of a record that is in a table."""
        return entry_of(record)

    def entries_of(self, kind: type[Output], /) -> Iterator[SinkEntry]:
        """Yield the newest row of each account in the table; raise SinkError."""
        if not self._positions:
            self._append()
        with self._failing():
            table = self._table(kind)

            def read(columns: Sequence[str] | None) -> Iterator[pa.Table]:
                chosen = ("*",) if columns is None else tuple(columns)
                for batch in table.scan(selected_fields=chosen).to_arrow_batch_reader():
                    yield pa.Table.from_batches([batch])

            yield from newest_entries(kind, read)

    def remove(self, kind: type[Output], entries: Sequence[SinkEntry], /) -> None:
        """Commit a snapshot without these rows; older snapshots stay readable. Raises SinkError."""
        self._remove(kind, entries, with_older=False)

    def remove_with_older(self, kind: type[Output], entries: Sequence[SinkEntry], /) -> None:
        """Commit a snapshot without these rows and those before them; raise SinkError."""
        self._remove(kind, entries, with_older=True)

    def _remove(self, kind: type[Output], entries: Sequence[SinkEntry], *, with_older: bool) -> None:
        with self._failing():
            table = self._table(kind)
            carried = {_POSITIONS: msgspec.json.encode(_positions(table)).decode()}
            remove_rows(table, entries, carried, with_older=with_older)

    def close(self) -> None:
        """Append what is gathered, where the positions allow it; otherwise it is delivered again."""
        with suppress(SinkError):
            self._append()
        self._gathered.forget()
        catalog, self._catalog = self._catalog, None
        if catalog is not None:
            catalog.close()

    def _append(self) -> None:
        if not self._positions:  # nobody keeps any: what was written is all there is
            self._gathered.cover({})
        gathered = self._gathered.tables()
        for kind in TABLES:
            reached = {part: at for part, at in self._gathered.reached.items() if _is_of(part, kind)}
            rows = gathered.get(kind)
            if rows is None:
                if reached.items() <= self._positions.items():
                    continue
                rows = schema(kind).empty_table()  # of what was read, nothing is to be written
            with self._failing():
                table = self._table(kind)
                self._compare(kind, table)
                after = msgspec.json.encode(_positions(table) | reached).decode()
                table.append(rows, snapshot_properties={_POSITIONS: after})
            self._positions |= reached
            self._gathered.wrote(kind)
        self._gathered.forget()

    def _compare(self, kind: type[Output], table: Table) -> None:
        there = _positions(table)
        for part, position in self._positions.items():
            if _is_of(part, kind) and there.get(part, 0) != position:
                self._gathered.forget()
                raise SetBackError(
                    f"the table {TABLES[kind]} stands at {there.get(part, 0)} of {part}, not at {position}"
                )

    def _table(self, kind: type[Output]) -> Table:
        """Return the table of a record type as it is now; it is made when it isn't there."""
        if self._catalog is None:
            self._catalog = SqlCatalog(
                "bellbuoy",
                **{
                    "uri": self._settings.catalog,
                    "warehouse": self._settings.warehouse,
                    **self._settings.io,
                },
            )
        with suppress(NamespaceAlreadyExistsError):
            self._catalog.create_namespace(self._settings.namespace)
        name = f"{self._settings.namespace}.{TABLES[kind]}"
        return self._catalog.create_table_if_not_exists(name, schema(kind), properties=_PROPERTIES)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Raise SinkError for whatever catalog and files refuse."""
        try:
            yield
        except SinkError:
            raise
        except Exception as error:  # each catalog and each file system has its own
            words = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise SinkError(
                f"the Iceberg tables in {self._settings.warehouse} can't be written: {words}; check "
                "iceberg.catalog and iceberg.warehouse"
            ) from error


def _is_of(part: str, kind: type[Output]) -> bool:
    return part.rpartition("/")[0].replace(".", "_") == TABLES[kind]


def _positions(table: Table) -> dict[str, int]:
    """Return the positions of the newest snapshot that has any, the current one or an ancestor of it."""
    snapshot = table.current_snapshot()
    while snapshot is not None:
        found = None if snapshot.summary is None else snapshot.summary.additional_properties.get(_POSITIONS)
        if found is not None:
            positions: dict[str, int] = msgspec.json.decode(found)
            return positions
        parent = snapshot.parent_snapshot_id
        snapshot = None if parent is None else table.snapshot_by_id(parent)
    return {}


def _records(table: Table) -> int:
    snapshot = table.current_snapshot()
    summary: Any = None if snapshot is None else snapshot.summary
    return 0 if summary is None else int(summary.additional_properties.get("total-records", "0"))
