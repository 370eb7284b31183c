"""A reader of mapping files, which finds every fault in them."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import orjson
from pydantic import ValidationError

from bellbuoy.importing.errors import ImportFileError, RowFault
from bellbuoy.importing.map_format import FieldSpec, MapFile, TableSpec, fields_of, keys_at
from bellbuoy.importing.values import field_value, is_empty
from bellbuoy.yaml_files import read_document
from schemas.checked_files.faults import Fault
from schemas.checked_files.invalid_keys import invalid_keys
from schemas.checked_files.reader import Marks
from schemas.checked_files.reader import Path as KeyPath
from schemas.codec.registry import committed
from schemas.suggestions import suggestion

__all__ = ["read_map_file"]

_CURRENCY = re.compile("[A-Z]{3}")
_Field: TypeAlias = tuple[str, str]
"""A table, and a field of it."""


def read_map_file(path: Path) -> MapFile:
    """Return the mapping in a YAML file; raise ImportFileError, which lists every fault."""
    document = read_document(path, ImportFileError, partial(_error, path))
    faults = [str(fault) for fault in document.faults]
    mapping: MapFile | None = None
    faulty: set[_Field] = set()
    try:
        mapping = _mapping(document.data)
    except ValidationError as error:
        faults += invalid_keys(error, document.marks, keys_at, "docs/import.md")
        rest, faulty = _usable_part(document.data, (detail["loc"] for detail in error.errors()))
        with suppress(ValidationError):
            mapping = _mapping(rest)
    if mapping is not None:
        for name, table in mapping.tables.items():
            faults += map(str, _contradictions(name, table, mapping, document.marks, faulty))
    if faults or mapping is None:
        raise _error(path, faults)
    return mapping


def _mapping(data: dict[str, Any]) -> MapFile:
    return MapFile.model_validate_json(orjson.dumps(data), strict=True)


def _usable_part(
    data: dict[str, Any], faulty: Iterable[tuple[int | str, ...]]
) -> tuple[dict[str, Any], set[_Field]]:
    """
    Return the data without their faulty parts, good for finding more faults only, and the fields among these.

    A faulty field stays as an empty one, so that it is not missing. A table without an event or fields says
    nothing more.
    """
    rest = copy.deepcopy(data)
    fields: set[_Field] = set()
    for path in faulty:
        match [part for part in path if part != "[key]"]:
            case ["tables", str(name), "fields", str(field), *_] if field in _part(rest, name, "fields"):
                rest["tables"][name]["fields"][field] = {}
                fields.add((name, field))
            case ["tables", str(name), "files", *_] if name in _part(rest):
                rest["tables"][name]["files"] = ["*"]
            case ["tables", str(name), str(key), *_] if key not in ("into", "fields"):
                _part(rest, name).pop(key, None)
            case ["tables", str(name), *_]:
                _part(rest).pop(name, None)
            case [key, *_]:
                rest.pop(str(key), None)
    return rest, fields


def _part(data: dict[str, Any], *path: str) -> dict[str, Any]:
    """Return the mapping at a path below the tables, an empty one where there is none."""
    part = data.get("tables")
    for key in path:
        part = part.get(key) if isinstance(part, dict) else None
    return part if isinstance(part, dict) else {}


def _error(path: Path, faults: list[str]) -> ImportFileError:
    by_place = sorted(faults, key=lambda fault: [int(number) for number in fault.split(":", 2)[:2]])
    return ImportFileError(
        f"{path} can't be used:\n" + "\n".join(f"  - {path}:{fault}" for fault in by_place)
    )


def _contradictions(
    name: str, table: TableSpec, mapping: MapFile, marks: Marks, faulty: set[_Field]
) -> Iterator[Fault]:
    """
    Yield the faults of a table: fields unknown or missing, impossible values, columns without header.

    Of the ``faulty`` fields, which are told already, only the names are looked at.
    """
    known, above = fields_of(table.into), ("tables", name)
    path = (*above, "fields")
    for field, spec in table.fields.items():
        at = (*path, field)
        if field not in known:
            fix = suggestion(field, list(known), "docs/reference/events.md")
            yield marks.fault(at, f"no field of {table.into}", fix)
        elif (name, field) not in faulty:
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
