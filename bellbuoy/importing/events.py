"""Reader of a table's rows as events: the gateway's check, and ids that a second import gives again."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import xxhash

from bellbuoy.importing.errors import ImportFileError, RowFault
from bellbuoy.importing.map_format import CHURN, MapFile, TableSpec, fields_of
from bellbuoy.importing.rows import read_rows
from bellbuoy.importing.values import field_value, is_empty
from gateway.http.errors import Fault
from gateway.http.sender import Sender
from gateway.sources.typed.forms import Form
from processors.intake.admission import Admission, admit
from schemas.codec.registry import Registry
from schemas.records import InputEvent

__all__ = ["SOURCE", "Churn", "ImportedRow", "TableFile", "TableReader", "table_files"]

SOURCE = "import"
"""The source of imported events."""

_FOREVER = Admission(horizon_ms=2**45, future_ms=0)


@dataclass(frozen=True, slots=True)
class Churn:
    """A churn date: a label of a backtest, no event."""

    account_id: str
    churned_at: int
    notice_at: int | None = None
    arr_minor: int | None = None


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file and the table by which it is read."""

    name: str
    table: TableSpec
    path: Path


@dataclass(frozen=True, slots=True)
class ImportedRow:
    """A row with its line: its event or churn date, ``None`` where it brings none, or its fault."""

    line: int
    what: InputEvent | Churn | RowFault | None


def table_files(mapping: MapFile, files: Sequence[Path]) -> list[TableFile]:
    """Return each file with each table that it belongs to; raise ImportFileError with each file of none."""
    found, faults = [], []
    for path in files:
        mine = [
            TableFile(name, table, path)
            for name, table in mapping.tables.items()
            if any(fnmatch.fnmatch(path.name, pattern) for pattern in table.files)
        ]
        if not path.is_file():
            faults.append(f"{path}: no such file: correct the path")
        elif not mine:
            patterns = ", ".join(pattern for table in mapping.tables.values() for pattern in table.files)
            faults.append(f"{path}: belongs to no table: `files` of the mapping has {patterns}")
        found += mine
    if faults:
        raise ImportFileError("\n".join(faults))
    return found


class TableReader:
    """
    Reader of the rows of one file by one table of a mapping.

    ``now`` is when the events are received, UTC milliseconds; an event ahead of it is a fault. The age of an
    event is not judged.
    """

    def __init__(self, mapping: MapFile, file: TableFile, registry: Registry, now: int) -> None:
        self._file, self._now = file, now
        self._mapping = mapping
        table = file.table
        self._form = None if table.into == CHURN else Form(table.topic, registry)
        self._sender = Sender(mapping.tenant, SOURCE, now)
        kinds = fields_of(table.into)
        self._fields = [(name, kinds[name], spec) for name, spec in table.fields.items()]
        self._seen: set[int] = set()
        self._repeats: dict[int, int] = {}

    def __iter__(self) -> Iterator[ImportedRow]:
        """Yield every row, also those that bring nothing."""
        for line, values in read_rows(self._file.path, self._file.table):
            if isinstance(values, RowFault):
                yield ImportedRow(line, values)
                continue
            try:
                yield ImportedRow(line, self._read(values))
            except RowFault as fault:
                yield ImportedRow(line, fault)

    def _read(self, row: Mapping[str, Any]) -> InputEvent | Churn | None:
        table = self._file.table
        if any(is_empty(row.get(column)) for column in table.skip_without):
            return None
        event_id = self._event_id(row)
        fields = {}
        for name, kind, spec in self._fields:
            given = spec.value if spec.column is None else row.get(spec.column)
            if not is_empty(given):
                fields[name] = field_value(name, kind, spec, given, self._mapping.timezone)
        if self._form is None:
            return _churn(fields)
        if "occurred_at" not in fields:
            raise RowFault("occurred_at is empty: give each row a time, or name its column in `skip_without`")
        try:
            event = self._form.read(msgspec.json.encode({"event_id": event_id, **fields}), self._sender)
        except Fault as fault:
            field = fault.pointer.removeprefix("/")
            raise RowFault(f"{field}: {fault.detail}" if field else fault.detail) from None
        refusal = admit(msgspec.structs.asdict(event), self._now, _FOREVER)
        if refusal is not None:
            raise RowFault(f"{(refusal.pointer or '').removeprefix('/')}: {refusal.detail}")
        return event

    def _event_id(self, row: Mapping[str, Any]) -> str:
        table = self._file.table
        if table.id is not None:
            given = row.get(table.id)
            if is_empty(given):
                raise RowFault(f"the id column {table.id} is empty: give each row its own id")
            return f"{self._file.name}-{given}"
        content = "\x1f".join(f"{column}\x1e{row[column]}" for column in sorted(row))
        digest = xxhash.xxh3_128_hexdigest(content.encode())
        short = int(digest[:15], 16)
        if short not in self._seen:
            self._seen.add(short)
            return f"{self._file.name}-{digest}"
        again = self._repeats[short] = self._repeats.get(short, 0) + 1
        return f"{self._file.name}-{digest}-{again}"


def _churn(fields: Mapping[str, Any]) -> Churn:
    for name in ("account_id", "churned_at"):
        if name not in fields:
            raise RowFault(f"{name} is empty: give each row one, or name its column in `skip_without`")
    return Churn(**fields)
