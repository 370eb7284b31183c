"""Values of files that are checked: names, durations, dates, conditions and texts, as pydantic types."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from schemas.times import DAY, HOUR, MINUTE

__all__ = [
    "NAME",
    "Condition",
    "Date",
    "Duration",
    "FileSpec",
    "Name",
    "Number",
    "OwnName",
    "Pair",
    "Words",
    "spec_error",
    "stray_brace",
]

NAME = r"^[a-z][a-z0-9_.-]{0,63}$"
_OWN = r"^[a-z][a-z0-9_]{0,63}$"
_UNITS = {"s": 1_000, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}

_DURATION = re.compile(r"(\d{1,6})([smhdw])")


def spec_error(message: str, fix: str) -> PydanticCustomError:
    """Return an error with a text of our own: what is wrong, and how to fix it."""
    return PydanticCustomError("model", "{message}", {"message": message, "fix": fix})


def _milliseconds(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and value == 0:
        return 0
    if isinstance(value, str) and (match := _DURATION.fullmatch(value)):
        return int(match[1]) * _UNITS[match[2]]
    raise spec_error(f"{value!r} is no duration", "write a number and s, m, h, d or w, such as 90d")


def _date(value: object) -> object:
    if isinstance(value, str):
        try:
            date = datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            aware = date if date.tzinfo else date.replace(tzinfo=UTC)
            return int(aware.timestamp() * 1000)
    raise spec_error(f"{value!r} is no date", "write it as 2026-12-31 or 2026-12-31T18:00:00Z")


def stray_brace(text: str) -> str | None:
    """Return a brace of a text with placeholders that belongs to none of them, or ``None``."""
    found = re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", text))
    return found[0] if found else None


def _template(text: str) -> str:
    unknown = set(re.findall(r"\{([^{}]*)\}", text)) - {"fact", "value"}
    if unknown:
        raise spec_error(f"{{{min(unknown)}}} stands for nothing", "use {fact} and {value}")
    return text


Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Pair: TypeAlias = Annotated[list[Number], Field(min_length=2, max_length=2)]
Duration: TypeAlias = Annotated[
    int,
    BeforeValidator(_milliseconds),
    WithJsonSchema({"type": "string", "pattern": r"^\d{1,6}[smhdw]$", "examples": ["90d", "36h"]}),
]
Date: TypeAlias = Annotated[
    int,
    BeforeValidator(_date),
    WithJsonSchema({"type": "string", "examples": ["2026-12-31", "2026-12-31T18:00:00Z"]}),
]
Name: TypeAlias = Annotated[str, Field(pattern=NAME)]
OwnName: TypeAlias = Annotated[str, Field(pattern=_OWN)]
Words: TypeAlias = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_template)]
Condition: TypeAlias = Annotated[str, Field(min_length=1, max_length=500)]


class FileSpec(BaseModel):
    """Base of what a file may say: no other keys, no other types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
