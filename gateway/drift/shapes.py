"""The shape of an event: the JSON types of its fields by their pointers. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
    for pointer, kind in _walk(fields, "", _DEPTH):
        shape[pointer] = kind
        if len(shape) == _FIELDS:
            break
    return shape


def parent_of(pointer: str) -> str:
    """Return the pointer of the object that a field is in."""
    return pointer.rpartition("/")[0]


def _walk(fields: dict[str, Any], at: str, depth: int) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        if value is None:
            continue
        pointer = f"{at}/{name.replace('~', '~0').replace('/', '~1')}"
        yield pointer, _TYPES[type(value)]
        inner = value
        if isinstance(value, list):
            inner, pointer = (value[0] if value else None), f"{pointer}/0"
        if isinstance(inner, dict) and depth > 1:
            yield from _walk(inner, pointer, depth - 1)
