"""The mapping file: YAML that says which columns of which files become which fields of which events."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bellbuoy.importing.errors import ImportFileError, RowFault
from bellbuoy.importing.values import field_value, is_empty
from bellbuoy.yaml_files import read_document
from schemas import inputs
from schemas.checked_files.faults import Fault
from schemas.checked_files.invalid_keys import invalid_keys
from schemas.checked_files.reader import Marks
from schemas.checked_files.reader import Path as KeyPath
from schemas.codec.registry import committed
from schemas.identity.keys import valid_tenant
from schemas.suggestions import suggestion

__all__ = ["CHURN", "FieldSpec", "MapFile", "TableSpec", "fields_of", "read_map_file"]

CHURN = "churn"
"""What a table of churn dates goes into: no event, but the labels of a backtest."""

_TOPICS = {
    "usage": inputs.USAGE,
    "support": inputs.SUPPORT,
    "billing": inputs.BILLING,
    "surveys": inputs.SURVEYS,
    "engagement": inputs.ENGAGEMENT,
    "profiles": inputs.PROFILES,
}

Into: TypeAlias = Literal["usage", "support", "billing", "surveys", "engagement", "profiles", "churn"]

_CHURN_FIELDS = {"account_id": "string", "churned_at": "long", "notice_at": "long", "arr_minor": "long"}
_CURRENCY = re.compile("[A-Z]{3}")
_NOT_MAPPED = {"event_id", "tenant", "source", "received_at", "own", "counted"}


def fields_of(into: str) -> dict[str, str]:
    """Return the fields that rows can give, each with its Avro type."""
    if into == CHURN:
        return _CHURN_FIELDS
    declared = committed().readers[f"{_TOPICS[into].topic}-value"]["fields"]
    return {f["name"]: _avro_type(f["type"]) for f in declared if f["name"] not in _NOT_MAPPED}


def _avro_type(declared: Any) -> str:
    plain = declared[1] if isinstance(declared, list) else declared
    return str(plain["type"] if isinstance(plain, dict) else plain)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"no time zone {name!r}; give a name such as Europe/Berlin") from None
    return name


def _tenant(name: str) -> str:
    if not valid_tenant(name):
        raise ValueError("a tenant is 1-63 of a-z, 0-9, _ and -; correct it")
    return name


def _format(form: str) -> str:
    when = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    try:
        found = datetime.strptime(when.strftime(form), form)  # noqa: DTZ007 - only the day is looked at
    except ValueError as error:
        raise ValueError(f"{form!r} is no format of times ({error}); write it as '%d.%m.%Y %H:%M'") from None
    if found.date() != when.date():
        raise ValueError(f"{form!r} has no day, month and year; write it as '%d.%m.%Y %H:%M'")
    return form


def _delimiter(text: str) -> str:
    if len(text) != 1 or text in '"\r\n':
        raise ValueError(f'{text!r} is no delimiter; write one character, such as ";" or "\\t" for a tab')
    return text


def _encoding(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        raise ValueError(f"no encoding {name!r}; write one such as utf-8, latin-1 or cp1252") from None
    return name


def _distinct(columns: list[str]) -> list[str]:
    twice = [column for place, column in enumerate(columns) if column in columns[:place]]
    if twice:
        raise ValueError(f"{twice[0]!r} is there twice; give each column its own name")
    return columns


class _MapPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Text: TypeAlias = Annotated[str, Field(min_length=1)]
Zone: TypeAlias = Annotated[str, AfterValidator(_zone)]


class FieldSpec(_MapPart):
    """
    Source of a field's value: a ``column`` of the row, or one ``value`` for every row.

    ``values`` translates texts. ``times`` multiplies a number, such as 100 for cents. A time has a ``format``
    of ``strptime`` (ISO 8601 without one) or is a number of a ``unit``; ``timezone`` is that of times without
    offset.
    """

    column: Text | None = None
    value: str | int | float | bool | None = None
    values: Annotated[dict[str, str | int | float | bool], Field(min_length=1)] | None = None
    times: float | None = None
    format: Annotated[str, AfterValidator(_format)] | None = None
    unit: Literal["s", "ms"] | None = None
    timezone: Zone | None = None


def _field(given: Any) -> Any:
    if isinstance(given, str):
        return {"column": given}
    if not isinstance(given, dict):
        raise ValueError("no source of a value; write the name of a column, or `{value: …}`")  # noqa: TRY004
    return given


class TableSpec(_MapPart):
    """
    Rows of some files, and the event that each becomes.

    ``files`` are patterns for the names of files. ``id`` is the column that tells rows apart; without it a
    row's content does. A row whose column in ``skip_without`` is empty brings no event. ``header`` names the
    columns of a CSV file that doesn't.
    """

    files: Annotated[list[Text], Field(min_length=1)]
    into: Into
    fields: Annotated[dict[str, Annotated[FieldSpec, BeforeValidator(_field)]], Field(min_length=1)]
    id: Text | None = None
    skip_without: list[Text] = []
    delimiter: Annotated[str, AfterValidator(_delimiter)] = ","
    header: Annotated[list[str], Field(min_length=1), AfterValidator(_distinct)] | None = None
    encoding: Annotated[str, AfterValidator(_encoding)] = "utf-8-sig"

    @property
    def topic(self) -> str:
        """The input topic without prefix; not of churn dates."""
        return _TOPICS[self.into].topic


class MapFile(_MapPart):
    """A mapping: its tables, the tenant of their accounts, and the time zone of times without offset."""

    tenant: Annotated[str, AfterValidator(_tenant)] = "demo"
    timezone: Zone = "UTC"
    tables: Annotated[dict[Text, TableSpec], Field(min_length=1)]


def read_map_file(path: Path) -> MapFile:
    """Return the mapping in a YAML file; raise ImportFileError, which lists every fault."""
    document = read_document(path, ImportFileError, partial(_error, path))
    faults = [str(fault) for fault in document.faults]
    try:
        mapping = MapFile.model_validate_json(orjson.dumps(document.data), strict=True)
    except ValidationError as error:
        raise _error(path, faults + invalid_keys(error, document.marks, _keys, "docs/import.md")) from None
    faults += [
        str(fault)
        for name, table in mapping.tables.items()
        for fault in _contradictions(name, table, mapping, document.marks)
    ]
    if faults:
        raise _error(path, faults)
    return mapping


def _error(path: Path, faults: list[str]) -> ImportFileError:
    return ImportFileError(f"{path} can't be used:\n" + "\n".join(f"  - {path}:{fault}" for fault in faults))


def _keys(path: tuple[int | str, ...]) -> list[str]:
    parts: dict[int, type[_MapPart]] = {0: MapFile, 2: TableSpec}
    return list(parts.get(len(path), FieldSpec).model_fields)


def _contradictions(name: str, table: TableSpec, mapping: MapFile, marks: Marks) -> Iterator[Fault]:
    """Yield the faults of a table: fields unknown or missing, impossible values, columns without header."""
    known, above = fields_of(table.into), ("tables", name)
    path = (*above, "fields")
    for field, spec in table.fields.items():
        at = (*path, field)
        if field not in known:
            fix = suggestion(field, list(known), "docs/reference/events.md")
            yield marks.fault(at, f"no field of {table.into}", fix)
        else:
            for message, fix in _faults_of_field(field, known[field], spec, table, mapping.timezone):
                yield marks.fault(at, message, fix)
        if spec.column is not None:
            yield from _absent(table, spec.column, at, marks)
    if table.id is not None:
        yield from _absent(table, table.id, (*above, "id"), marks)
    for column in table.skip_without:
        yield from _absent(table, column, (*above, "skip_without"), marks)
    needed = {"churn": ("account_id", "churned_at")}.get(
        table.into, ("account_id", "occurred_at", *_REQUIRED.get(table.into, ()))
    )
    for field in [field for field in needed if field not in table.fields]:
        fix = f"add `{field}: COLUMN`, or `{field}: {{value: …}}`"
        yield marks.fault(path, f"{field} is missing", fix)


def _absent(table: TableSpec, column: str, at: KeyPath, marks: Marks) -> Iterator[Fault]:
    if table.header is not None and column not in table.header:
        fix = suggestion(column, table.header, "the header")
        yield marks.fault(at, f"no column {column!r} in `header`", fix)


def _faults_of_field(
    field: str, kind: str, spec: FieldSpec, table: TableSpec, zone: str
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the source of a field's value, and the fix."""
    if (spec.column is None) == (spec.value is None):
        yield "neither a column nor a value, or both", "give one of `column` and `value`"
        return
    if spec.value is not None and spec.values is not None:
        yield "`values` beside one `value`", "write the translated value"
        return
    is_time = field.endswith("_at")
    if (spec.format or spec.unit or spec.timezone) and not is_time:
        yield "a format, unit or time zone, but no time", "leave it out"
        return
    if spec.format and spec.unit:
        yield "both a format and a unit", "keep one of them"
        return
    if spec.times is not None and (is_time or kind not in ("long", "int", "double")):
        yield "`times`, but no number", "leave it out"
    if spec.times == 0:
        yield "`times: 0` makes every number 0", "write what a number is multiplied by, such as 100"
    words = _words(table, field) if kind == "enum" else ()
    plain = spec.model_copy(update={"values": None})
    for given in [spec.value] if spec.value is not None else (spec.values or {}).values():
        try:
            value = field_value(field, kind, plain, given, zone)
        except RowFault as fault:
            message, _, fix = str(fault).removeprefix(f"{field}: ").partition(": ")
            yield message, fix or "correct it"
        else:
            if words and value not in words:
                yield f"{value!r:.40} is none of the choices", suggestion(str(value), words, "the table")
            elif is_empty(value):
                yield "an empty value", "write one, or leave the field out"
            elif field == "currency" and _CURRENCY.fullmatch(value) is None:
                yield f"{value!r:.40} is no currency", "write its code in capitals, such as EUR"


def _words(table: TableSpec, field: str) -> list[str]:
    """Return the words that a field of a topic may have."""
    fields = committed().readers[f"{table.topic}-value"]["fields"]
    declared = next(each["type"] for each in fields if each["name"] == field)
    enum = declared[1] if isinstance(declared, list) else declared
    return [word for word in enum["symbols"] if word != "unknown"]


_REQUIRED = {
    "usage": ("name",),
    "support": ("ticket_id", "kind"),
    "billing": ("kind",),
    "surveys": ("survey_id", "kind"),
    "engagement": ("kind",),
}
