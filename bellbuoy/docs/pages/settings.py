"""The page of all settings, generated from the JSON Schema of the settings classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from bellbuoy.docs.markdown import table
from bellbuoy.settings import Settings

__all__ = ["Setting", "page", "settings"]

_HEAD = """# Settings

Every setting of a deployment. Generated from the settings classes by `python -m bellbuoy.docs`; a test holds
it to the code.

A setting is a key in `bellbuoy.toml` in the working directory (or in the file that `--config` or
`BELLBUOY_CONFIG` names), or an environment variable, which wins over the file. Lists and tables are written
as JSON in a variable. At start every fault is listed with its key and the fix; `bellbuoy check` lists them,
too.

```toml
log_level = "info"

[kafka]
bootstrap = "kafka-1:9092,kafka-2:9092"
replication = 3

[gateway.tenants.acme]
write_keys = ["..."]
server_keys = ["..."]
```

The same in the environment: `BELLBUOY_KAFKA__REPLICATION=3` and
`BELLBUOY_GATEWAY__TENANTS='{"acme": {"write_keys": ["..."], "server_keys": ["..."]}}'`.
"""

_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "table",
    "null": "nothing",
}
_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}


class Setting(NamedTuple):
    """
    One key of the settings, in the words of the page; ``about`` is empty where the code says nothing.

    ``kind`` is the ``type`` of the areas that have the key, empty where all have it.
    """

    key: str
    variable: str
    type: str
    default: str
    about: str
    kind: str = ""


def settings() -> Iterator[Setting]:
    """Yield every key: the plain ones first, then area by area."""
    schema = Settings.model_json_schema()
    yield from _walk("", schema, schema["$defs"])


def page() -> str:
    """Return the text of docs/reference/settings.md."""
    parts = [_HEAD]
    for (area, kind), some in groupby(settings(), lambda one: (one.key.rpartition(".")[0], one.kind)):
        rows = [(f"`{one.key}`", one.type, one.default, one.about, f"`{one.variable}`") for one in some]
        of_type = f" with `type` {kind}" if kind else ""
        parts += [
            f"## {f'`{area}`{of_type}' if area else 'General'}\n",
            table(("key", "type", "default", "meaning", "variable"), rows) + "\n",
        ]
    return "\n".join(parts).rstrip() + "\n"


def _walk(
    prefix: str, schema: Mapping[str, Any], areas: Mapping[str, Any], kind: str = ""
) -> Iterator[Setting]:
    """Yield the plain keys of one level, then those of the levels below it."""
    deeper: dict[str, Mapping[str, Any]] = {}
    typed: dict[str, Sequence[Mapping[str, Any]]] = {}
    for name, field in schema["properties"].items():
        key = f"{prefix}{name}"
        if section := _section(field):
            deeper[f"{key}."] = _area(section, areas)
            continue
        yield Setting(key, _variable(key), _type(field), _default(field), field.get("description", ""), kind)
        each = field.get("additionalProperties")
        if isinstance(each, dict) and "$ref" in each:
            deeper[f"{key}.NAME."] = _area(each, areas)
        elif isinstance(each, dict) and "oneOf" in each:
            typed[f"{key}.NAME."] = [_area(one, areas) for one in each["oneOf"]]
    for below, area in deeper.items():
        yield from _walk(below, area, areas)
    for below, several in typed.items():
        yield from _walk_types(below, several, areas)


def _walk_types(
    prefix: str, several: Sequence[Mapping[str, Any]], areas: Mapping[str, Any]
) -> Iterator[Setting]:
    """Yield the keys that areas of every type have, then those of each type."""
    first = several[0]["properties"]
    common = {
        name for name, field in first.items() if all(one["properties"].get(name) == field for one in several)
    }
    yield from _walk(prefix, {"properties": {name: first[name] for name in first if name in common}}, areas)
    for one in several:
        own = {name: field for name, field in one["properties"].items() if name not in common}
        yield from _walk(prefix, {"properties": own}, areas, own["type"]["const"])


def _section(field: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the reference to a section's class, also of a section that may be absent."""
    return next((each for each in (field, *field.get("anyOf", ())) if "$ref" in each), None)


def _area(field: Mapping[str, Any], areas: Mapping[str, Any]) -> Mapping[str, Any]:
    area: Mapping[str, Any] = areas[field["$ref"].rpartition("/")[2]]
    return area


def _variable(key: str) -> str:
    return f"BELLBUOY_{key.upper().replace('.', '__')}"


def _type(field: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(map(_type, field["anyOf"]))
    if "enum" in field:
        return ", ".join(f"`{choice}`" for choice in field["enum"])
    bounds = [f"{word} {_number(field[name])}" for name, word in _BOUNDS.items() if name in field]
    return ", ".join([_TYPES[field["type"]], *bounds])


def _default(field: Mapping[str, Any]) -> str:
    default = field.get("default")
    if isinstance(default, Mapping):
        return ", ".join(f"`{name}`" for name in default)  # not what is in it: that may be a secret
    if isinstance(default, int | float):
        return _number(default)
    return f"`{default}`" if default else "none"


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else f"{value:g}"
