"""The page of the typed events, generated from the forms that the gateway reads them with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from bellbuoy.docs.markdown import table
from gateway.sources.typed.forms import Form
from schemas.codec.registry import committed
from schemas.inputs import OFFERED_TOPICS

__all__ = ["page"]

_HEAD = """# Typed events

Every field that `POST /v1/events/<topic>` takes, by topic: plain JSON, one object or an array of them. Fields
in **bold** are required. A time is ISO 8601 or whole UTC milliseconds; money is in minor units (cents) with
an ISO 4217 currency. `tenant` comes from the write key, `source` is `api` unless given, and without
`occurred_at` the time is now. An unknown field is refused. [ingest.md](../ingest.md) has the routes, the
answers and examples.

Generated from the code by `python -m bellbuoy.docs`; a test holds it to the code.
"""

_COMMON = ("event_id", "account_id", "occurred_at", "source", "tenant")
_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}


def page() -> str:
    """Return the text of docs/reference/events.md."""
    forms = {topic: Form(topic, committed()) for topic in OFFERED_TOPICS}
    first = next(iter(forms))
    common = [row for row in _rows(first, forms[first]) if row[0].strip("*`") in _COMMON]
    parts = [_HEAD, "## Fields of every event\n", table(("field", "type", "what it says"), common), ""]
    for topic, form in forms.items():
        schema = committed().readers[f"{topic}-value"]
        rows = [row for row in _rows(topic, form) if row[0].strip("*`") not in _COMMON]
        parts += [f"## `{topic}`\n", f"{schema['doc']}\n", table(("field", "type", "what it says"), rows), ""]
    return "\n".join(parts)


def _rows(topic: str, form: Form) -> Iterator[tuple[str, str, str]]:
    docs = {field["name"]: field for field in committed().readers[f"{topic}-value"]["fields"]}
    (schema,) = msgspec.json.schema(form.struct)["$defs"].values()
    for name, of in schema["properties"].items():
        words = [docs[name].get("doc", ""), *_meanings(docs[name]["type"])]
        shown = f"**`{name}`**" if name in schema["required"] else f"`{name}`"
        yield shown, _kind(name, of), " ".join(word for word in words if word)


def _meanings(declared: Any) -> Iterator[str]:
    for kind in declared if isinstance(declared, list) else [declared]:
        if isinstance(kind, dict):
            yield kind.get("doc", "")


def _kind(name: str, of: dict[str, Any]) -> str:
    """Return a field's type in words, with its bounds; every optional field takes null too."""
    if name.endswith("_at"):
        return "time"
    choices = [one for one in of.get("anyOf", [of]) if one.get("type") != "null"]
    if len(choices) > 1:
        return " or ".join(_kind(name, choice) for choice in choices)
    (kind,) = choices
    if "enum" in kind:
        return ", ".join(f"`{word}`" for word in kind["enum"] if word is not None)
    if kind["type"] == "object":
        return "object"
    words = _TYPES[kind["type"]]
    if "pattern" in kind:
        return "three capital letters" if "{3}" in kind["pattern"] else "two capital letters"
    if kind["type"] == "string":
        return f"{words}, at most {kind['maxLength']:,} characters"
    low, high = kind.get("minimum"), kind.get("maximum")
    if low is None or low < -(2**30):
        return words
    return f"{words}, {low:g} and more" if high is None or high >= 2**30 else f"{words}, {low:g} to {high:g}"
