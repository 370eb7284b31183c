"""The format of mapping files, which say which columns of which files become which fields of which events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from schemas import inputs
from schemas.codec.registry import committed
from schemas.identity.keys import valid_tenant

__all__ = ["CHURN", "FieldSpec", "MapFile", "TableSpec", "fields_of", "keys_at"]

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


def keys_at(path: tuple[int | str, ...]) -> list[str]:
    """Return the keys that may stand below a path."""
    parts: dict[int, type[_MapPart]] = {0: MapFile, 2: TableSpec}
    return list(parts.get(len(path), FieldSpec).model_fields)
