"""A reader of YAML files that people write for commands: every fault of a file, with its line and the fix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from processors.model.file.faults import ModelError
from processors.model.file.reader import Document, Marks, read
from schemas.suggestions import suggestion

__all__ = ["invalid_keys", "read_document"]

KeyPath = tuple[int | str, ...]


def read_document(
    path: Path, unreadable: Callable[[str], Exception], faulty: Callable[[list[str]], Exception]
) -> Document:
    """
    Return the document in a YAML file.

    Raises what ``unreadable`` makes of the reason why the file can't be read, and what ``faulty`` makes of
    the faults of one that is no YAML.
    """
    try:
        return read(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise unreadable(f"{path}: can't be read ({error.strerror}): correct the path") from None
    except UnicodeDecodeError:
        raise unreadable(f"{path}: not UTF-8 text: save it as UTF-8") from None
    except ModelError as error:
        raise faulty([str(fault) for fault in error.faults]) from None


def invalid_keys(
    error: ValidationError, marks: Marks, keys: Callable[[KeyPath], list[str]], page: str
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
