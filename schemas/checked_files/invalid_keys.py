"""Faults of the keys and values of a checked file, as a pydantic model of the file's format finds them."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import ValidationError

from schemas.checked_files.reader import Marks, Path
from schemas.suggestions import suggestion

__all__ = ["invalid_keys"]


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
        message, fix = detail["msg"].removeprefix("Value error, "), ""
        if detail["type"] == "extra_forbidden":
            message, fix = "no such key", suggestion(str(path[-1]), keys(path[:-1]), page)
        elif detail["type"] == "missing":
            fix = "add it"
        elif detail["type"] != "value_error":
            fix = f"got {detail['input']!r:.60}; correct it"
        faults.append(str(marks.fault(path, message, fix)).removesuffix("; "))
    return faults
