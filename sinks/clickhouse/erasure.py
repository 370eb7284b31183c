"""Erasure in ClickHouse as mutations: an account's rows, or a person's name in rows that stay. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from schemas.identity.naming import ERASED
from sinks.clickhouse.tables import ORDER
from sinks.columns import TABLES, schema
from sinks.port import Output, Subject

__all__ = ["Mutation", "mutations"]

_INSIDE = r"[\p{L}\p{N}_.@+-]"
"""Characters of a longer id, as in ``schemas.identity.naming``, for a regex without look-behind."""


class Mutation(NamedTuple):
    """A change of the rows of one table that ``where`` finds: ``change`` is the end of an ALTER TABLE."""

    table: str
    where: str
    change: str
    parameters: dict[str, Any]


def mutations(subject: Subject) -> Iterator[Mutation]:
    """Yield what erases a subject from each table."""
    for kind, table in TABLES.items():
        if subject.account_id is not None:
            until = f"{ORDER[kind][2]} <= fromUnixTimestamp64Milli(toInt64(%(until)s))"
            where = f"tenant = %(tenant)s AND account_id = %(account)s AND {until}"
            parameters = {"tenant": subject.tenant, "account": subject.account_id, "until": subject.until}
            yield Mutation(table, where, "DELETE", parameters)
        else:
            yield _renaming(kind, table, subject)


def _renaming(kind: type[Output], table: str, subject: Subject) -> Mutation:
    free = {
        f"`{field.name}`": field.type
        for field in schema(kind)
        if field.name not in (*ORDER[kind], "account_id") and _has_text(field.type)
    }
    where = " OR ".join(_names(name, type_) for name, type_ in free.items())
    change = ", ".join(f"{name} = {_renamed(name, type_)}" for name, type_ in free.items())
    parameters = {"tenant": subject.tenant, "name": _pattern(subject.texts), "erased": rf"\1{ERASED}\2"}
    return Mutation(table, f"tenant = %(tenant)s AND ({where})", f"UPDATE {change}", parameters)


def _pattern(texts: Iterable[str]) -> str:
    longest_first = sorted({text for text in texts if text}, key=len, reverse=True)
    outside = _INSIDE.replace("[", "[^", 1)
    return f"(^|{outside})(?:{'|'.join(map(re.escape, longest_first))})({outside}|$)"


def _has_text(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind):
        return _has_text(kind.value_type)
    if pa.types.is_struct(kind):
        return any(_has_text(each.type) for each in kind)
    return bool(kind == pa.string())


def _names(value: str, kind: pa.DataType) -> str:
    """Return the condition that a value names the person."""
    if pa.types.is_list(kind):
        return f"arrayExists(x -> {_names('x', kind.value_type)}, {value})"
    if pa.types.is_struct(kind):
        parts = (_names(f"{value}.`{each.name}`", each.type) for each in kind if _has_text(each.type))
        return f"({' OR '.join(parts)})"
    return f"ifNull(match({value}, %(name)s), 0)"


def _renamed(value: str, kind: pa.DataType) -> str:
    """Return the expression of a value that names nobody."""
    if not _has_text(kind):
        return value
    if pa.types.is_list(kind):
        return f"arrayMap(x -> {_renamed('x', kind.value_type)}, {value})"
    if pa.types.is_struct(kind):
        return f"tuple({', '.join(_renamed(f'{value}.`{each.name}`', each.type) for each in kind)})"
    once = f"replaceRegexpAll({value}, %(name)s, %(erased)s)"
    # Of two names side by side the first match takes what is between them.
    return f"replaceRegexpAll({once}, %(name)s, %(erased)s)"
