"""
Mapping files of write-back: which request writes which attributes of an account, and how answers are read.

A file is refused with all of its faults, each with its line and the fix (docs/sinks/writeback.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from schemas.checked_files import reader
from schemas.checked_files.faults import NoDocumentError
from schemas.checked_files.invalid_keys import invalid_keys
from schemas.checked_files.reader import Marks
from schemas.suggestions import suggestion
from sinks.port import SinkSettingsError
from sinks.writeback.template import FIELDS, names, texts

__all__ = ["CheckRequest", "ItemAnswers", "SessionRequest", "WritebackMapping", "load_mapping"]

_PAGE = "docs/sinks/writeback.md"
_URL = r"^https?://[^\s]+$"
_SETTINGS = ("secret", "client_id")
"""What a template may name of the settings."""


class _MappingPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _paths(given: Any) -> Any:
    if isinstance(given, list):
        return tuple(given)
    return (given,) if isinstance(given, str) else given


class ItemAnswers(_MappingPart):
    """
    The parts of an answer that say what became of each item.

    ``ok`` leads to a value that is true unless the whole request was refused. ``path`` leads to a list, or to
    several: with ``success`` one entry for each item, in order; with ``ids`` one for each refused item, and
    the ids that it concerns; with neither, entries that name no item, so that the request is asked in halves
    until the refused item is found. ``retry`` are codes of refusals that pass.
    """

    ok: str | None = None
    path: Annotated[tuple[str, ...], BeforeValidator(_paths)] = ("",)
    success: str | None = None
    ids: str | None = None
    message: str = "message"
    code: str | None = None
    retry: tuple[str, ...] = ()


class SessionRequest(_MappingPart):
    """The request that opens a session: a form that is posted, and the path of the token in the answer."""

    url: str = Field(pattern=_URL)
    form: dict[str, str]
    token: str = "access_token"  # noqa: S105 - a path


class CheckRequest(_MappingPart):
    """The request of the start-up check, where a write of no account is none: it must change nothing."""

    method: Literal["GET", "OPTIONS"] = "GET"
    url: str = Field(pattern=_URL)


class WritebackMapping(_MappingPart):
    """One mapping file."""

    url: str = Field(pattern=_URL)
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    encoding: Literal["json", "form"] = "json"
    headers: dict[str, str] = {}
    session: SessionRequest | None = None
    check: CheckRequest | None = None
    batch: int = Field(ge=1, le=10_000)
    requests_per_second: float = Field(gt=0, le=1_000)
    daily_requests: int = Field(gt=0)
    id: str
    body: Any
    item: Any
    retry_statuses: tuple[int, ...] = ()
    answers: ItemAnswers | None = None


def load_mapping(path: Path) -> WritebackMapping:
    """Return the mapping of a file; raise SinkSettingsError with every fault, its line and the fix."""
    try:
        document = reader.read(reader.decoded(path.read_bytes()))
    except OSError as error:
        raise SinkSettingsError(
            f"{path} can't be read: {error.strerror}; name another file in `mapping`"
        ) from error
    except NoDocumentError as error:
        raise _unusable(path, map(str, error.faults)) from error
    faults = [str(fault) for fault in document.faults]
    mapping: WritebackMapping | None = None
    try:
        mapping = WritebackMapping.model_validate_json(orjson.dumps(document.data), strict=True)
    except ValidationError as error:
        faults += invalid_keys(error, document.marks, _keys, _PAGE)
    faults += _template_faults(document.data, document.marks)
    if faults or mapping is None:
        raise _unusable(path, faults)
    return mapping


def _unusable(path: Path, faults: Iterator[str] | list[str]) -> SinkSettingsError:
    lines = sorted(faults, key=lambda fault: int(fault.split(":", 1)[0]))
    return SinkSettingsError(f"{path} can't be used:\n" + "\n".join(f"  {line}" for line in lines))


def _keys(path: tuple[str | int, ...]) -> list[str]:
    parts: dict[str, type[_MappingPart]] = {
        "answers": ItemAnswers,
        "session": SessionRequest,
        "check": CheckRequest,
    }
    return [*(parts.get(str(path[0]), WritebackMapping) if path else WritebackMapping).model_fields]


def _template_faults(values: Mapping[str, Any], marks: Marks) -> Iterator[str]:
    def fault(path: tuple[str | int, ...], message: str, fix: str) -> str:
        return str(marks.fault(path, message, fix))

    one = values.get("batch") == 1
    session = values.get("session")
    known: dict[str, list[str]] = {
        "id": [*FIELDS],
        "item": [*FIELDS, *_SETTINGS],
        "url": [*FIELDS] if one else [],
        "body": ["item", "items"] if one else ["items"],
        "headers": [*_SETTINGS, "token"] if session else [*_SETTINGS],
        "session": [*_SETTINGS],
    }
    for part, allowed in known.items():
        for path, text in texts(values.get(part), (part,)):
            for name in names(text):
                if name not in allowed:
                    yield fault(path, f"{{{name}}} is not known here", suggestion(name, allowed, _PAGE))
    body = [name for _, text in texts(values.get("body"), ()) for name in names(text)]
    if "body" in values and not {"item", "items"} & set(body):
        yield fault(("body",), "names no {items}", "write it where the accounts of a request go")
    if values.get("encoding") == "form" and not one:
        yield fault(("encoding",), "a form holds one account", "write `batch: 1`")
    answers = values.get("answers")
    if isinstance(answers, Mapping) and "success" in answers and "ids" in answers:
        fix = "keep `success` for an entry for each item, or `ids` for refused ones alone"
        yield fault(("answers",), "both `success` and `ids`", fix)
