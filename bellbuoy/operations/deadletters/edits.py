"""Edits of a record's fields: ``FIELD=VALUE``, the field named plainly or by JSON pointer (RFC 6901)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson
from jsonpointer import EndOfList, JsonPointer, JsonPointerException

from bellbuoy.errors import OperatorError
from bellbuoy.exit_codes import CONFIGURATION

__all__ = ["EditError", "edited", "json_or_text"]


class EditError(OperatorError):
    """An edit can't be made; the message says which and why."""

    exit_code = CONFIGURATION


def edited(
    fields: dict[str, Any],
    sets: Iterable[str],
    unsets: Iterable[str],
    read: Callable[[str, str], Any] = lambda _, text: json_or_text(text),
) -> dict[str, Any]:
    """
    Return a copy of *fields* with these edits; raise EditError.

    Objects on the way to a set field are created where they are missing. ``read`` returns the value of a
    top-level field, given its name and the text after ``=``.
    """
    result: dict[str, Any] = orjson.loads(orjson.dumps(fields))
    for assignment in sets:
        path, equals, text = assignment.partition("=")
        if not equals:
            raise EditError(f"--set {assignment}: write it as FIELD=VALUE")
        try:
            pointer = _pointer(path)
            value = json_or_text(text) if len(pointer.parts) > 1 else read(pointer.parts[0], text)
            _set(result, pointer, value)
        except JsonPointerException as error:
            raise EditError(f"--set {path}: {error}") from None
    for path in unsets:
        try:
            parent, last = _pointer(path).to_last(result)
            del parent[last]
        except (JsonPointerException, LookupError, TypeError):
            raise EditError(f"--unset {path}: there is no such field") from None
    return result


def json_or_text(text: str) -> Any:
    """Return a text's JSON value, or the text itself where it is not JSON."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _pointer(path: str) -> JsonPointer:
    return JsonPointer(path) if path.startswith("/") else JsonPointer.from_parts([path])


def _set(fields: dict[str, Any], pointer: JsonPointer, value: Any) -> None:
    for length in range(1, len(pointer.parts)):
        parent = JsonPointer.from_parts(pointer.parts[:length])
        if not isinstance(parent.resolve(fields, {}), dict | list | EndOfList):
            parent.set(fields, {})  # a null, or another value without fields, gives way to an object
    pointer.set(fields, value, create=True)
