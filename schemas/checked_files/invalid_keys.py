"""Faults of the keys and values of a checked file, as a pydantic model of the file's format finds them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.checked_files.reader import Marks, Path
from schemas.suggestions import suggestion

__all__ = ["explanation", "invalid_keys", "shown"]

_TYPES = {
    "float_type": ("not a number", "write a number"),
    "float_parsing": ("not a number", "write a number"),
    "int_type": ("not a whole number", "write a whole number"),
    "int_parsing": ("not a whole number", "write a whole number"),
    "int_from_float": ("not a whole number", "write a whole number"),
    "bool_type": ("neither true nor false", "write true or false"),
    "bool_parsing": ("neither true nor false", "write true or false"),
    "string_type": ("not text", "write text, in quotes if it looks like something else"),
    "dict_type": ("not a mapping", "write `key: value` lines below it"),
    "model_type": ("not a mapping", "write `key: value` lines below it"),
    "model_attributes_type": ("not a mapping", "write `key: value` lines below it"),
    "list_type": ("not a list", "write `- item` lines or [item, item]"),
    "tuple_type": ("not a list", "write [item, item]"),
    "finite_number": ("not a finite number", "write a finite number"),
    "date_type": ("not a date", "write it as 2026-12-31"),
    "date_parsing": ("not a date", "write it as 2026-12-31"),
    "date_from_datetime_parsing": ("not a date", "write it as 2026-12-31"),
    "date_from_datetime_inexact": ("not a date", "write it as 2026-12-31"),
    "string_too_long": ("too long", "shorten it to {max_length} characters"),
}
_NAME = ("not a name", "use small letters, digits and . _ -, a letter first, 64 at most")
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
_LONGEST = 10**15
"""From here on the reader takes a whole number for a decimal."""

_BOUNDS = {
    "greater_than_equal": ("ge", "{:g} or more"),
    "greater_than": ("gt", "more than {:g}"),
    "less_than_equal": ("le", "{:g} or less"),
    "less_than": ("lt", "less than {:g}"),
}


def invalid_keys(
    error: ValidationError, marks: Marks, keys: Callable[[Path], list[str]], page: str
) -> list[str]:
    """
    Return the faults that pydantic found, each with the position of its key and the fix.

    ``keys`` returns the keys that may stand below a path; *page* teaches the format.
    """
    faults = []
    for detail in error.errors(include_url=False):
        path = tuple(part for part in detail["loc"] if part != "[key]")
        if detail["type"] == "extra_forbidden":
            message, fix = "no such key", suggestion(str(path[-1]), keys(path[:-1]), page)
        elif detail["type"] == "missing" and isinstance(last := path[-1], int):
            path, message, fix = path[:-1], f"item {last + 1} is missing", "write [item, item]"
        elif detail["type"] == "missing":
            path, message, fix = path[:-1], f"{path[-1]} is missing", f"add `{path[-1]}: …`"
        elif detail["type"] == "value_error":
            message, _, fix = detail["msg"].removeprefix("Value error, ").partition("; ")
        else:
            message, fix = explanation(detail)
        faults.append(str(marks.fault(path, message, fix)).removesuffix("; "))
    return faults


def explanation(detail: ErrorDetails) -> tuple[str, str]:
    """Return what is wrong with a value that pydantic refused, and the fix, in the words of YAML."""
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "literal_error":
        options = [option.strip(" '") for option in context["expected"].replace(" or ", ",").split(",")]
        given = "nothing is there" if value is None else f"{shown(value)} is none of the choices"
        return given, f"use {_nearest(value, options)}"
    if kind in _BOUNDS:
        bound, way = _BOUNDS[kind]
        given = value if isinstance(value, str) else f"{value:g}"  # a key is text
        return f"{given} is out of range", f"make it {way.format(context[bound])}"
    if kind in ("too_short", "too_long"):
        if not value:
            return "empty", "write something there"
        least, most = context.get("min_length"), context.get("max_length")
        bounds = f"{least} or more" if least is not None else f"{most} at most"
        return f"{len(value)} {'item' if len(value) == 1 else 'items'}", f"give it {bounds}"
    if kind == "string_too_short" and not value:
        return f"{shown(value)} is empty", "write something or leave the key out"
    if kind == "string_too_short":
        return f"{shown(value)} is too short", f"write {context['min_length']} characters or more"
    if kind == "string_pattern_mismatch":
        if "a-z" in context["pattern"]:
            return f"{shown(value)} is {_NAME[0]}", _NAME[1]
        return f"{shown(value)} does not fit", f"write it as {context['pattern'].strip('^$')}"
    if kind in _TYPES:
        message, fix = _TYPES[kind]
        if kind.startswith(("float", "int_")) and isinstance(value, str) and _NUMBER.fullmatch(value):
            fix = "leave the quotes out"
        elif kind.startswith("int_") and isinstance(value, float) and abs(value) >= _LONGEST:
            fix = "write a whole number of at most 15 digits"
        if value is None:
            return "nothing is there", fix.format(**context)
        plain = isinstance(value, str | int | float)
        return f"{shown(value)} is {message}" if plain else message, fix.format(**context)
    return f"{shown(value)} does not fit", detail["msg"][:1].lower() + detail["msg"][1:]


def shown(value: Any) -> str:
    """Return a value as a YAML file has it, cut after 40 characters."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value!r:.40}"


def _nearest(value: Any, options: list[str]) -> str:
    """Return the option that is the value but for its case, or else all of them."""
    same = [option for option in options if isinstance(value, str) and option.lower() == value.lower()]
    return same[0] if same else ", ".join(options)
