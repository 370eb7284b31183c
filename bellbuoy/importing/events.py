"""Reader of a table's rows as events: the gateway's check, and ids that a second import gives again."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import xxhash

from bellbuoy.importing.errors import ImportFileError, RowFault
from bellbuoy.importing.map_file import CHURN, FieldSpec, MapFile, TableSpec, fields_of
from bellbuoy.importing.rows import read_rows
from gateway.http.errors import Fault
from gateway.http.sender import Sender
from gateway.sources.typed.forms import Form
from processors.intake.admission import Admission, admit
from schemas.codec.registry import Registry
from schemas.records import InputEvent
from schemas.times import EPOCH

__all__ = ["SOURCE", "Churn", "ImportedRow", "TableFile", "TableReader", "table_files"]

SOURCE = "import"
"""The source of imported events."""

_MILLISECOND = 1_000
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
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
        if any(_empty(row.get(column)) for column in table.skip_without):
            return None
        event_id = self._event_id(row)
        fields = {}
        for name, kind, spec in self._fields:
            given = spec.value if spec.column is None else row.get(spec.column)
            if not _empty(given):
                fields[name] = _value(name, kind, spec, given, self._mapping.timezone)
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
            if _empty(given):
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


def _empty(value: Any) -> bool:
    return (
        value is None
        or (isinstance(value, str) and not value.strip())
        or (isinstance(value, float) and math.isnan(value))
    )


def _churn(fields: Mapping[str, Any]) -> Churn:
    for name in ("account_id", "churned_at"):
        if name not in fields:
            raise RowFault(f"{name} is empty: give each row one, or name its column in `skip_without`")
    return Churn(**fields)


def _value(name: str, kind: str, spec: FieldSpec, given: Any, zone: str) -> Any:
    """Return a field's value as the field's type; raise RowFault."""
    if isinstance(given, str):
        given = given.strip()
    if spec.values is not None:
        translated = spec.values.get(str(given))
        if translated is None:
            known = ", ".join(list(spec.values)[:10])
            raise RowFault(f"{name}: {given!r:.80} is not among `values` ({known}): add it")
        given = translated
    if name.endswith("_at"):
        return _time(name, spec, given, spec.timezone or zone)
    if kind in ("long", "int", "double"):
        return _number(name, kind, given, spec.times)
    if kind == "boolean":
        if isinstance(given, bool):
            return given
        if (word := _WORDS.get(str(given).lower())) is None:
            raise RowFault(f"{name}: {given!r:.80} is neither true nor false: translate it with `values`")
        return word
    return str(given)


def _number(name: str, kind: str, given: Any, times: float | None) -> int | float:
    try:
        number = Decimal(str(given)) * (1 if times is None else Decimal(str(times)))
        if kind == "double":
            return float(number)
        whole = int(number.to_integral_value())
    except (InvalidOperation, ValueError, OverflowError):
        raise RowFault(
            f"{name}: {given!r:.80} is no number: correct it, or translate it with `values`"
        ) from None
    if whole != number:
        unit = "; money is in minor units, `times: 100` makes cents" if name.endswith("_minor") else ""
        raise RowFault(f"{name}: {given!r:.80} is no whole number{unit}")
    return whole


def _time(name: str, spec: FieldSpec, given: Any, zone: str) -> int:
    """Return a time in UTC milliseconds."""
    try:
        if spec.unit is not None:
            return int(Decimal(str(given)) * (1_000 if spec.unit == "s" else 1))
        if isinstance(given, datetime):
            moment = given
        elif isinstance(given, date):
            moment = datetime(given.year, given.month, given.day)  # noqa: DTZ001 - the zone follows
        elif spec.format is not None:
            moment = datetime.strptime(str(given), spec.format)  # noqa: DTZ007 - the zone follows
        else:
            moment = datetime.fromisoformat(str(given))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(zone))
        at = round((moment.astimezone(UTC) - EPOCH).total_seconds() * _MILLISECOND)
    except (ValueError, OverflowError, InvalidOperation):
        how = f"of the format {spec.format!r}" if spec.format else "in ISO 8601"
        raise RowFault(
            f"{name}: {given!r:.80} is no time {how}: correct it, or give the field its `format` (as "
            "'%d.%m.%Y') or `unit` (s or ms)"
        ) from None
    if at < 0:
        raise RowFault(f"{name}: {given!r:.80} is before 1970")
    return at
