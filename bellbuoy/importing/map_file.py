"""The mapping file: YAML that says which columns of which files become which fields of which events."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bellbuoy.importing.errors import ImportFileError
from bellbuoy.yaml_files import read_document
from schemas import inputs
from schemas.checked_files.invalid_keys import invalid_keys
from schemas.checked_files.reader import Marks
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


class _MapPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Zone: TypeAlias = Annotated[str, AfterValidator(_zone)]


class FieldSpec(_MapPart):
    """
    Source of a field's value: a ``column`` of the row, or one ``value`` for every row.

    ``values`` translates texts. ``times`` multiplies a number, such as 100 for cents. A time has a ``format``
    of ``strptime`` (ISO 8601 without one) or is a number of a ``unit``; ``timezone`` is that of times without
    offset.
    """

    column: str | None = None
    value: str | int | float | bool | None = None
    values: dict[str, str | int | float | bool] | None = None
    times: float | None = None
    format: str | None = None
    unit: Literal["s", "ms"] | None = None
    timezone: Zone | None = None


def _field(given: Any) -> Any:
    return {"column": given} if isinstance(given, str) else given


class TableSpec(_MapPart):
    """
    Rows of some files, and the event that each becomes.

    ``files`` are patterns for the names of files. ``id`` is the column that tells rows apart; without it a
    row's content does. A row whose column in ``skip_without`` is empty brings no event. ``header`` names the
    columns of a CSV file that doesn't.
    """

    files: Annotated[list[str], Field(min_length=1)]
    into: Into
    fields: Annotated[dict[str, Annotated[FieldSpec, BeforeValidator(_field)]], Field(min_length=1)]
    id: str | None = None
    skip_without: list[str] = []
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    header: list[str] | None = None
    encoding: str = "utf-8-sig"

    @property
    def topic(self) -> str:
        """The input topic without prefix; not of churn dates."""
        return _TOPICS[self.into].topic


class MapFile(_MapPart):
    """A mapping: its tables, the tenant of their accounts, and the time zone of times without offset."""

    tenant: Annotated[str, AfterValidator(_tenant)] = "demo"
    timezone: Zone = "UTC"
    tables: Annotated[dict[str, TableSpec], Field(min_length=1)]


def read_map_file(path: Path) -> MapFile:
    """Return the mapping in a YAML file; raise ImportFileError, which lists every fault."""
    document = read_document(path, ImportFileError, partial(_error, path))
    faults = [str(fault) for fault in document.faults]
    try:
        mapping = MapFile.model_validate(document.data)
    except ValidationError as error:
        raise _error(path, faults + invalid_keys(error, document.marks, _keys, "docs/import.md")) from None
    faults += [
        fault
        for name, table in mapping.tables.items()
        for fault in _contradictions(name, table, document.marks)
    ]
    if faults:
        raise _error(path, faults)
    return mapping


def _error(path: Path, faults: list[str]) -> ImportFileError:
    return ImportFileError(f"{path} can't be used:\n" + "\n".join(f"  - {path}:{fault}" for fault in faults))


def _keys(path: tuple[int | str, ...]) -> list[str]:
    parts: dict[int, type[_MapPart]] = {0: MapFile, 2: TableSpec}
    return list(parts.get(len(path), FieldSpec).model_fields)


def _contradictions(name: str, table: TableSpec, marks: Marks) -> list[str]:
    """Return the faults of a table's fields: unknown ones, missing ones, and columns that a header lacks."""
    known, path = fields_of(table.into), ("tables", name, "fields")
    faults = []
    for field, spec in table.fields.items():
        at = (*path, field)
        if field not in known:
            faults.append(
                marks.fault(
                    at,
                    f"no field of {table.into}",
                    suggestion(field, list(known), "docs/reference/events.md"),
                )
            )
        elif (spec.column is None) == (spec.value is None):
            faults.append(
                marks.fault(at, "neither a column nor a value, or both", "give one of `column` and `value`")
            )
        elif (spec.format or spec.unit or spec.timezone) and not field.endswith("_at"):
            faults.append(marks.fault(at, "a format, unit or time zone, but no time", "leave it out"))
        elif spec.format and spec.unit:
            faults.append(marks.fault(at, "both a format and a unit", "keep one of them"))
        if table.header is not None and spec.column is not None and spec.column not in table.header:
            faults.append(
                marks.fault(
                    at,
                    f"no column {spec.column!r} in `header`",
                    suggestion(spec.column, table.header, "the header"),
                )
            )
    needed = {"churn": ("account_id", "churned_at")}.get(
        table.into, ("account_id", "occurred_at", *_REQUIRED.get(table.into, ()))
    )
    faults += [
        marks.fault(path, f"{field} is missing", f"add `{field}: COLUMN`, or `{field}: {{value: …}}`")
        for field in needed
        if field not in table.fields
    ]
    return [str(fault) for fault in faults]


_REQUIRED = {
    "usage": ("name",),
    "support": ("ticket_id", "kind"),
    "billing": ("kind",),
    "surveys": ("survey_id", "kind"),
    "engagement": ("kind",),
}
