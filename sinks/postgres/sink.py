"""Postgres sink: the newest health, KPIs and alerts, and all history, each record by its version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from typing import Any, TypeVar

import msgspec
import psycopg
import xxhash
from psycopg import errors
from psycopg.rows import dict_row

from schemas.records import AccountHealth, AccountKpis, Adjustment, Cap, Measure, RiskAlert
from sinks.finite import not_finite
from sinks.port import Output, Rejected, SetBackError, SinkEntry, SinkError, Subject, version
from sinks.postgres import migrate
from sinks.postgres.client import connect, public_url, sink_error
from sinks.postgres.erasure import erase_account, erase_person
from sinks.postgres.settings import PostgresSettings
from sinks.postgres.statements import (
    ACCOUNTS,
    ALERT_CHANGES,
    ALERTS,
    ERASE,
    HISTORIES,
    KPIS,
    MEASURE_HISTORY,
    SCORE_HISTORY,
    WRITES,
    Write,
    attach_partition,
)

__all__ = ["PostgresSink"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_10000 = 253_402_300_800_000
_MONTH_LOCK = 7_155_801_201
"""Number of the lock under which partitions are added."""
_REFUSES_A_RECORD = (errors.DataError, errors.IntegrityError, errors.ProgramLimitExceeded)

_encode = msgspec.json.Encoder().encode

R = TypeVar("R", AccountHealth, AccountKpis, RiskAlert)


class PostgresSink:
    """
    Sink of accounts, scores, measures and alerts with their history (docs/sinks/postgres.md).

    A batch is one transaction. A row is written when its record is newer than the one there; a row of history
    is written once. The positions lie in the same database, so an emptied database, or an older copy of it,
    is noticed. What a deleted account left is removed, and what is delivered of it late is ignored.
    """

    name = "postgres"
    records = frozenset[type[Output]]({AccountHealth, AccountKpis, RiskAlert})

    def __init__(self, settings: PostgresSettings) -> None:
        self._settings = settings
        self._connection: psycopg.Connection[Any] | None = None
        self._positions: dict[str, int] = {}
        self._unanswered: dict[str, int] = {}
        self._months: set[tuple[int, int]] = set()

    def open(self) -> None:
        """Connect, see that the schema is this release's, and run every write without a row."""
        with self._working() as connection:
            missing = migrate.pending(connection, self._settings.schema_name)
            if missing:
                raise SinkError(
                    f"Postgres at {public_url(self._settings.url)} lacks {len(missing)} of Bellbuoy's "
                    f"migrations ({missing[0].name} …): run `bellbuoy sinks migrate`",
                    5.0,
                )
            with connection.transaction():
                for write in WRITES:
                    _run(connection, write.statement, [])
            self._add_partitions(connection, {_month(int(datetime.now(UTC).timestamp() * 1000))})

    def write(self, batch: Sequence[Output], /) -> None:
        """
        Write the batch in one transaction.

        Raises SinkError while Postgres can't take it, SetBackError when positions are not as they were left,
        and Rejected for a record that Postgres refuses; nothing of the batch is written then.
        """
        if not batch:
            return
        for index, record in enumerate(batch):
            fault = not_finite(record) or _out_of_time(record)
            if fault is not None:
                raise Rejected(index, fault)
        with self._working() as connection:
            try:
                self._write(connection, batch)
            except _REFUSES_A_RECORD as error:
                raise Rejected(self._refused(connection, batch), _first_line(error)) from error

    def resume(self, parts: Iterable[str], /) -> dict[str, int]:
        """Return the offset to write next of each part, 0 where it was never written; raise SinkError."""
        names = sorted(parts)
        with self._working() as connection:
            connection.execute(
                "INSERT INTO positions SELECT unnest(%s::text[]), 0 ON CONFLICT DO NOTHING", (names,)
            )
            stored = _positions(connection)
        self._positions, self._unanswered = {name: stored.get(name, 0) for name in names}, {}
        return dict(self._positions)

    def reached(self, positions: Mapping[str, int], /) -> None:
        """Store positions if those stored are as they were left; raise SetBackError and SinkError."""
        known = {part: position for part, position in positions.items() if part in self._positions}
        with self._working() as connection, connection.transaction():
            self._compare(connection)
            self._unanswered = known  # should the answer to the commit be lost, they may be stored or not
            connection.execute(
                "UPDATE positions SET next_offset = r.next_offset FROM "
                "unnest(%s::text[], %s::bigint[]) AS r(part, next_offset) WHERE positions.part = r.part",
                (list(known), list(known.values())),
            )
        self._positions, self._unanswered = self._positions | known, {}

    def positions(self) -> dict[str, int]:
        """Return the offset to write next of each part that was written; raise SinkError."""
        with self._working() as connection:
            return _positions(connection)

    def entries(self) -> int:
        """Return how many rows ``clear`` would remove or replace; raise SinkError."""
        with self._working() as connection:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM accounts) + (SELECT count(*) FROM kpis)"
                " + (SELECT count(*) FROM alerts)"
            ).fetchone()
            assert row is not None
            return int(row[0])

    def clear(self, cleared: Callable[[int], None], /) -> None:
        """
        Remove accounts, KPIs and positions, and let whatever Kafka holds of an alert replace its row.

        History and alerts stay: Kafka may not hold them any more. Raises SinkError.
        """
        entries = self.entries()
        with self._working() as connection, connection.transaction():
            connection.execute("DELETE FROM positions")  # the first: a writer waits here, then begins again
            connection.execute("TRUNCATE accounts, kpis")
            connection.execute("UPDATE alerts SET sequence = -1")
        cleared(entries)

    def migrate(self, applied: Callable[[str], None], /) -> None:
        """Apply the migrations that the database lacks; raise SinkError and SinkSettingsError."""
        with closing(connect(self._settings, psycopg.Connection)) as connection:
            try:
                migrate.apply(connection, self._settings.schema_name, applied)
            except psycopg.Error as error:
                raise sink_error(self._settings, error) from error

    def pending(self) -> list[str]:
        """Return the names of the migrations that the database lacks; raise as ``migrate`` does."""
        with closing(connect(self._settings)) as connection:
            try:
                return [each.name for each in migrate.pending(connection, self._settings.schema_name)]
            except psycopg.Error as error:
                raise sink_error(self._settings, error) from error

    def entry(self, record: AccountHealth | AccountKpis, /) -> SinkEntry:
        """Return what the table holds of a record once it was written."""
        write = ACCOUNTS if isinstance(record, AccountHealth) else KPIS
        row = msgspec.to_builtins(_row(record, write))
        return SinkEntry(record.tenant, record.account_id, record.as_of, record.sequence, _digest(row))

    def entries_of(self, kind: type[Output], /) -> Iterator[SinkEntry]:
        """Yield the rows of accounts or of KPIs; raise SinkError."""
        write = ACCOUNTS if kind is AccountHealth else KPIS
        with self._working() as connection, connection.transaction():
            cursor = connection.cursor("entries", row_factory=dict_row)
            cursor.itersize = 1_000
            for row in cursor.execute(write.reading):
                yield SinkEntry(row["tenant"], row["account_id"], row["as_of"], row["sequence"], _digest(row))

    def remove(self, kind: type[Output], entries: Sequence[SinkEntry], /) -> None:
        """Remove the rows of accounts or of KPIs that have these versions; raise SinkError."""
        write = ACCOUNTS if kind is AccountHealth else KPIS
        rows = [entry._asdict() | {"digest": None} for entry in entries]
        with self._working() as connection, connection.transaction():
            _run(connection, write.removal, rows)

    def erase(self, subject: Subject, /, *, dry_run: bool = False) -> dict[str, int]:
        """Remove the rows of an account, or a person's name from rows; return how many, by table."""
        erase = erase_person if subject.account_id is None else erase_account
        with self._working() as connection, connection.transaction(force_rollback=dry_run):
            return erase(connection, subject)

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextmanager
    def _working(self) -> Iterator[psycopg.Connection[Any]]:
        """Yield the connection, made anew where the last one broke; raise SinkError for its errors."""
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._settings)
        try:
            yield self._connection
        except psycopg.Error as error:
            self.close()
            raise sink_error(self._settings, error) from error

    def _write(self, connection: psycopg.Connection[Any], batch: Sequence[Output]) -> None:
        healths = [r for r in batch if isinstance(r, AccountHealth) and not r.deleted]
        kpis = [r for r in batch if isinstance(r, AccountKpis) and not r.deleted]
        alerts = [r for r in batch if isinstance(r, RiskAlert)]
        changes = [msgspec.structs.asdict(each) | {"step": version(each)[2]} for each in alerts]
        newest_changes = {id(each) for each in _newest(alerts, lambda alert: (alert.alert_id,))}
        rows: list[tuple[Write, Sequence[Any]]] = [
            (ACCOUNTS, [_row(each, ACCOUNTS) for each in _newest(healths, _account)]),
            (SCORE_HISTORY, [_score(each) for each in healths]),
            (KPIS, _newest(kpis, _account)),
            (MEASURE_HISTORY, [_values(each) for each in kpis]),
            (ALERTS, [c for c, a in zip(changes, alerts, strict=True) if id(a) in newest_changes]),
            (ALERT_CHANGES, changes),
        ]
        dated: Iterable[Output] = chain(healths, kpis)
        months = {_month(version(record)[0]) for record in dated} - self._months
        if months:
            self._add_partitions(connection, months)
        with connection.transaction():
            self._compare(connection)
            erased = list(_erasures(batch))
            for statement in ERASE if erased else ():
                _run(connection, statement, erased)
            for write, written in rows:
                if written:
                    _run(connection, write.statement, written)

    def _refused(self, connection: psycopg.Connection[Any], batch: Sequence[Output]) -> int:
        """Return the index of the first record that Postgres refuses, by trying shorter batches."""
        taken, refused = 0, len(batch)
        while refused - taken > 1:
            middle = (taken + refused) // 2
            try:
                with connection.transaction(force_rollback=True):
                    self._write(connection, batch[:middle])
            except _REFUSES_A_RECORD:
                refused = middle
            else:
                taken = middle
        return refused - 1

    def _compare(self, connection: psycopg.Connection[Any]) -> None:
        """Raise SetBackError unless the stored positions are as this writer left them; keep them so."""
        if not self._positions:
            return
        stored = dict(
            connection.execute(
                "SELECT part, next_offset FROM positions WHERE part = ANY(%s) ORDER BY part FOR UPDATE",
                (list(self._positions),),
            ).fetchall()
        )
        for part, position in self._positions.items():
            if stored.get(part) not in (position, self._unanswered.get(part, position)):
                raise SetBackError(
                    f"Postgres at {public_url(self._settings.url)} lost what it held ({part} stands at "
                    f"{stored.get(part, 'nothing')}, not {position})"
                )

    def _add_partitions(self, connection: psycopg.Connection[Any], months: set[tuple[int, int]]) -> None:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MONTH_LOCK,))
            rows = connection.execute(
                "SELECT relname FROM pg_class"
                " WHERE relnamespace = current_schema()::regnamespace AND relispartition"
            )
            there = {name for (name,) in rows}
            for year, month in sorted(months):
                for table in HISTORIES:
                    if f"{table}_{year:04}_{month:02}" not in there:
                        for statement in attach_partition(table, year, month):
                            connection.execute(statement)
        self._months |= months


def _run(connection: psycopg.Connection[Any], statement: str, rows: Sequence[Any]) -> None:
    connection.execute(statement, (_encode(rows).decode(),))


def _positions(connection: psycopg.Connection[Any]) -> dict[str, int]:
    return dict(connection.execute("SELECT part, next_offset FROM positions").fetchall())


def _account(record: AccountHealth | AccountKpis) -> tuple[str, ...]:
    return record.tenant, record.account_id


def _newest(records: Iterable[R], key: Callable[[R], tuple[str, ...]]) -> list[R]:
    """Return the newest record of each key: one statement may write a row only once."""
    newest: dict[tuple[str, ...], R] = {}
    for record in records:
        before = newest.get(key(record))
        if before is None or version(before) < version(record):
            newest[key(record)] = record
    return list(newest.values())


def _row(record: AccountHealth | AccountKpis, write: Write) -> dict[str, Any]:
    return {name: getattr(record, name) for name in write.columns if name != "contributions"}


def _digest(row: Mapping[str, Any]) -> bytes:
    return xxhash.xxh3_128_digest(msgspec.json.encode(_as_floats(row), order="sorted"))


def _as_floats(value: Any) -> Any:
    """Return a JSON value with every number as a float: jsonb doesn't tell 1 from 1.0."""
    if isinstance(value, Mapping):
        return {name: _as_floats(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_as_floats(each) for each in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _score(record: AccountHealth) -> dict[str, Any]:
    row = _row(record, SCORE_HISTORY)
    parts: Iterable[Measure | Adjustment | Cap] = chain(record.measures, record.adjustments, record.caps)
    row["contributions"] = {part.name: part.contribution for part in parts}
    return row


def _values(record: AccountKpis) -> dict[str, Any]:
    return {
        "tenant": record.tenant,
        "account_id": record.account_id,
        "as_of": record.as_of,
        "sequence": record.sequence,
        "measure_values": {each.name: each.value for each in record.measures},
    }


def _erasures(batch: Sequence[Output]) -> Iterator[dict[str, Any]]:
    """Yield the newest deletion of each account in the batch."""
    healths = _newest((r for r in batch if isinstance(r, AccountHealth) and r.deleted), _account)
    kpis = _newest((r for r in batch if isinstance(r, AccountKpis) and r.deleted), _account)
    deletions: Iterable[tuple[AccountHealth | AccountKpis, str]] = chain(
        zip(healths, repeat("account"), strict=False), zip(kpis, repeat("kpis"), strict=False)
    )
    for record, what in deletions:
        yield {
            "tenant": record.tenant,
            "account_id": record.account_id,
            "what": what,
            "as_of": record.as_of,
            "sequence": record.sequence,
        }


def _out_of_time(record: Output) -> str | None:
    at = version(record)[0]
    return None if 0 <= at < _YEAR_10000 else f"its journal time {at} is not between 1970 and 9999"


def _month(milliseconds: int) -> tuple[int, int]:
    at = _EPOCH + timedelta(milliseconds=milliseconds)
    return at.year, at.month


def _first_line(error: psycopg.Error) -> str:
    return str(error).partition("\n")[0]
