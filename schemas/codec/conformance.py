"""Tell, field by field, how a record's fields depart from an Avro schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastavro.validation import validate

from schemas.codec.registry import Schema

__all__ = ["Departure", "completed", "departures", "in_words"]


@dataclass(frozen=True, slots=True)
class Departure:
    """One field that departs: ``unknown``, ``missing`` or ``mistyped``, and the type it should have."""

    field: str
    kind: str
    expected: str


def departures(fields: Mapping[str, Any], schema: Schema) -> Iterator[Departure]:
    """Yield every departure of plain values from a record schema; a field with a default may be missing."""
    declared = {field["name"]: field for field in schema["fields"]}
    for name in sorted(fields.keys() - declared.keys()):
        yield Departure(name, "unknown", "")
    for name, field in declared.items():
        if name not in fields:
            if "default" not in field:
                yield Departure(name, "missing", in_words(field["type"]))
        elif not validate(fields[name], field["type"], raise_errors=False):
            yield Departure(name, "mistyped", in_words(field["type"]))


def completed(fields: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """Return the fields with the schema's defaults where they are missing, in the schema's order."""
    return {
        field["name"]: fields[field["name"]] if field["name"] in fields else field.get("default")
        for field in schema["fields"]
    }


def in_words(kind: Any) -> str:
    """Return an Avro type in words."""
    if isinstance(kind, list):
        return " or ".join(in_words(branch) for branch in kind)
    if isinstance(kind, dict):
        return f"one of {', '.join(kind['symbols'])}" if kind["type"] == "enum" else str(kind["type"])
    return {"long": "a whole number", "int": "a whole number", "boolean": "true or false"}.get(
        kind, {"string": "a text", "double": "a number", "float": "a number"}.get(kind, str(kind))
    )
