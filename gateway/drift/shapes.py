"""The shape of an event: the JSON types of its fields by their pointers. Pure."""

from __future__ import annotations

from typing import Any

from gateway.http.json_decoding import escape

__all__ = ["parent_of", "shape_of"]

_DEPTH = 6
"""Levels of objects and lists that are looked into."""

_FIELDS = 100
"""Fields of an event that are looked at."""

_TYPES: dict[type, str] = {
    str: "string", int: "number", float: "number", bool: "boolean", dict: "object", list: "array",
}  # fmt: skip


def shape_of(fields: dict[str, Any]) -> dict[str, str]:
    """
    Return the type of each field that has a value, by its JSON pointer.

    Of a list the first item stands for all. A field that is null is one that is not there.
    """
    shape: dict[str, str] = {}
    _add(shape, fields, "", _DEPTH)
    return shape


def parent_of(pointer: str) -> str:
    """Return the pointer of the object that a field is in."""
    return pointer.rpartition("/")[0]


def _add(shape: dict[str, str], fields: dict[str, Any], at: str, depth: int) -> None:
    for name, value in fields.items():
        if value is None:
            continue
        if len(shape) == _FIELDS:
            return
        pointer = f"{at}/{name}" if "~" not in name and "/" not in name else f"{at}/{escape(name)}"
        shape[pointer] = kind = _TYPES[type(value)]
        if kind == "object" and depth > 1:
            _add(shape, value, pointer, depth - 1)
        elif kind == "array" and depth > 1 and value and isinstance(value[0], dict):
            _add(shape, value[0], f"{pointer}/0", depth - 1)
