"""
ClickHouse sink: every health, KPI and alert record in tables by key and version (docs/sinks/clickhouse.md).

A batch is one insert a table. What a crash or a lost answer writes a second time agrees in key and version
with what is there, and becomes one row with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError

from schemas.records import AccountHealth, AccountKpis
from sinks.clickhouse.erasure import mutations
from sinks.clickhouse.settings import ClickHouseSettings
from sinks.clickhouse.tables import statements
from sinks.columns import TABLES, schema, table
from sinks.port import Output, Rejected, SinkEntry, SinkError, Subject, version
from sinks.table_entries import entry_of, newest_entries

__all__ = ["ClickHouseSink"]

_COLUMNS = "SELECT name FROM system.columns WHERE database = %(database)s AND table = %(table)s"
_ON_EVERY_REPLICA = {"mutations_sync": 2}
_MOST_ROWS = 1_000
"""A query is 256 KiB at most, by ClickHouse's default."""
_YEAR_2200 = 7_258_118_400_000
"""DateTime64 ends a century later; it cuts what is beyond without a word."""


class ClickHouseSink:
    """Sink of ClickHouse tables; of an account's records it keeps every one."""

    name = "clickhouse"
    records = frozenset(TABLES)

    def __init__(self, settings: ClickHouseSettings) -> None:
        self._settings = settings
        self._client: Any = None

    def open(self) -> None:
        """Make database, tables and views, and add columns that are new; raise SinkError."""
        database = self._settings.database
        with self._failing():
            client = self._connected()
            client.command(f"CREATE DATABASE IF NOT EXISTS {database}")
            client.database = database
            for kind in TABLES:
                columns = client.query(_COLUMNS, {"database": database, "table": TABLES[kind]}).result_rows
                for statement in statements(kind, {name for (name,) in columns}):
                    client.command(statement)
                client.insert_arrow(TABLES[kind], table(kind, []))

    def write(self, batch: Sequence[Output], /) -> None:
        """Insert the batch, one block a table; raise SinkError and Rejected."""
        for index, record in enumerate(batch):
            at = version(record)[0]
            if not 0 <= at < _YEAR_2200:
                raise Rejected(index, f"its journal time {at} is not between 1970 and 2200")
        for kind, name in TABLES.items():
            records = [(index, record) for index, record in enumerate(batch) if type(record) is kind]
            if not records:
                continue
            rows = _table(kind, records)
            with self._failing():
                client = self._connected()
                client.database = self._settings.database
                client.insert_arrow(name, rows)

    def erase(self, subject: Subject, /, *, dry_run: bool = False) -> dict[str, int]:
        """
        Remove an account's rows, or a person's name from rows; return how many, by table.

        Returns once every replica has done so. Raises SinkError.
        """
        found = {}
        with self._failing():
            client = self._connected()
            client.database = self._settings.database
            for table, where, change, parameters in mutations(subject):
                counting = f"SELECT count() FROM {table} WHERE {where}"  # noqa: S608 - our tables and columns
                found[table] = int(client.query(counting, parameters).result_rows[0][0])
                if found[table] and not dry_run:
                    client.command(
                        f"ALTER TABLE {table} {change} WHERE {where}",
                        parameters,
                        settings=_ON_EVERY_REPLICA,
                    )
        return found

    def entry(self, record: AccountHealth | AccountKpis, /) -> SinkEntry:
        """Return the entry of a record that is in a table."""
        return entry_of(record)

    def entries_of(self, kind: type[Output], /) -> Iterator[SinkEntry]:
        """Yield the newest row of each account; raise SinkError."""

        def read(columns: Sequence[str] | None) -> Iterator[pa.Table]:
            names = ", ".join(columns or (f"`{field.name}`" for field in schema(kind)))
            query = f"SELECT {names} FROM latest_{TABLES[kind]}"  # noqa: S608 - our view and columns
            with client.query_arrow_stream(query) as blocks:
                for block in blocks:
                    yield pa.Table.from_batches([block])

        with self._failing():
            client = self._connected()
            client.database = self._settings.database
            yield from newest_entries(kind, read)

    def remove(self, kind: type[Output], entries: Sequence[SinkEntry], /) -> None:
        """Delete rows of these versions; return once every replica has done so. Raises SinkError."""
        where = "(tenant, account_id, toUnixTimestamp64Milli(as_of), sequence) IN %(rows)s"
        self._delete(kind, entries, where)

    def remove_with_older(self, kind: type[Output], entries: Sequence[SinkEntry], /) -> None:
        """Delete rows and those before them; return once every replica has done so. Raises SinkError."""
        where = (
            "arrayExists(row -> tenant = row.1 AND account_id = row.2 AND "
            "(toUnixTimestamp64Milli(as_of), sequence) <= (row.3, row.4), %(rows)s)"
        )
        self._delete(kind, entries, where)

    def _delete(self, kind: type[Output], entries: Sequence[SinkEntry], where: str) -> None:
        rows = [tuple(entry[:4]) for entry in entries]
        with self._failing():
            client = self._connected()
            client.database = self._settings.database
            for start in range(0, len(rows), _MOST_ROWS):
                client.command(
                    f"ALTER TABLE {TABLES[kind]} DELETE WHERE {where}",
                    {"rows": rows[start : start + _MOST_ROWS]},
                    settings=_ON_EVERY_REPLICA,
                )

    def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> Any:
        if self._client is None:
            seconds = self._settings.timeout_seconds
            self._client = clickhouse_connect.get_client(
                dsn=self._settings.url.get_secret_value(),
                connect_timeout=int(min(5.0, seconds)) or 1,
                send_receive_timeout=int(seconds) or 1,
                query_retries=0,
            )
        return self._client

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Raise SinkError for what server and connection refuse, and connect anew the next time."""
        try:
            yield
        except (ClickHouseError, OSError, ImportError) as error:
            self.close()
            words = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise SinkError(f"ClickHouse doesn't take records: {words}; check clickhouse.url") from error


def _table(kind: type[Output], records: Sequence[tuple[int, Output]]) -> pa.Table:
    """Return records as a table; raise Rejected for the first that no table can hold."""
    try:
        return table(kind, [record for _, record in records])
    except (pa.ArrowException, OverflowError):
        for index, record in records:
            try:
                table(kind, [record])
            except (pa.ArrowException, OverflowError) as error:
                raise Rejected(index, str(error)) from error
        raise
