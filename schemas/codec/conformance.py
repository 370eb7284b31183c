"""Check of plain values against an Avro record schema, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastavro.validation import validate

from schemas.codec.registry import Schema

__all__ = ["Departure", "completed", "departures", "in_words"]


@dataclass(frozen=True, slots=True)
class Departure:
    """A field that doesn't conform, how (``unknown``, ``missing`` or ``mistyped``), and the expected type."""

    field: str
    kind: str
    expected: str


def departures(fields: Mapping[str, Any], schema: Schema) -> Iterator[Departure]:
    """Yield every field that doesn't conform to a record schema; one with a default may be missing."""
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
    """Return the fields in the schema's order, with its defaults for those that are missing."""
    return {
        field["name"]: fields[field["name"]] if field["name"] in fields else field.get("default")
        for field in schema["fields"]
    }


def in_words(kind: Any) -> str:
    """Return an Avro type in words for people."""
    if isinstance(kind, list):
        return " or ".join(in_words(branch) for branch in kind)
    if isinstance(kind, dict):
        return f"one of {', '.join(kind['symbols'])}" if kind["type"] == "enum" else str(kind["type"])
    return {"long": "a whole number", "int": "a whole number", "boolean": "true or false"}.get(
        kind, {"string": "a text", "double": "a number", "float": "a number"}.get(kind, str(kind))
    )
