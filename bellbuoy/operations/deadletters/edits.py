"""Edits of a record's fields: ``FIELD=VALUE``, the field by name or by JSON pointer (RFC 6901)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson

__all__ = ["EditError", "edited", "value_of"]


class EditError(Exception):
    """An edit can't be made; the message says which and why."""


def edited(
    fields: dict[str, Any],
    sets: Iterable[str],
    unsets: Iterable[str],
    read: Callable[[str, str], Any] = lambda _, text: value_of(text),
) -> dict[str, Any]:
    """
    Return a copy of *fields* with these edits; raise EditError.

    ``read`` makes a value of a top-level field's name and the text after ``=``.
    """
    result: dict[str, Any] = orjson.loads(orjson.dumps(fields))
    for given in sets:
        path, equals, text = given.partition("=")
        if not equals:
            raise EditError(f"--set {given}: write it as FIELD=VALUE")
        *above, last = _tokens(path)
        place = _descend(result, above, path, make=True)
        value = value_of(text) if above else read(last, text)
        if isinstance(place, list):
            place[_index(place, last, path)] = value
        else:
            place[last] = value
    for path in unsets:
        *above, last = _tokens(path)
        place = _descend(result, above, path, make=False)
        if isinstance(place, list):
            del place[_index(place, last, path)]
        elif place.pop(last, _descend) is _descend:
            raise EditError(f"--unset {path}: there is no such field")
    return result


def value_of(text: str) -> Any:
    """Return JSON's value of a text, or the text itself where it is not JSON."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _tokens(path: str) -> list[str]:
    if not path.startswith("/"):
        return [path]
    return [token.replace("~1", "/").replace("~0", "~") for token in path[1:].split("/")]


def _descend(value: Any, tokens: list[str], path: str, *, make: bool) -> Any:
    for token in tokens:
        if isinstance(value, list):
            value = value[_index(value, token, path)]
        elif make:
            if not isinstance(value.get(token), dict | list):
                value[token] = {}
            value = value[token]
        elif isinstance(value.get(token), dict | list):
            value = value[token]
        else:
            raise EditError(f"{path}: there is no such field")
    return value


def _index(value: list[Any], token: str, path: str) -> int:
    if not token.isdigit() or int(token) >= len(value):
        raise EditError(f"{path}: {token!r} is no place in a list of {len(value)}")
    return int(token)
