"""
Columns of tables of records: the Arrow schema of each record type, taken from its fields.

A struct of a record is a struct of the table, a list is a list, and a time is a timestamp in UTC. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import inspect

from schemas.records import AccountHealth, AccountKpis, RiskAlert
from sinks.port import Output

__all__ = ["TABLES", "schema", "table"]

TABLES: Mapping[type[Output], str] = {
    AccountHealth: "account_health",
    AccountKpis: "account_kpis",
    RiskAlert: "risk_alerts",
}
"""The table, or folder of files, of each record type."""

_TIMES = {
    "acknowledged_at", "as_of", "at", "band_since", "changed_at", "done_at", "due_at", "opened_at",
    "received_at", "renewal_at", "since", "snoozed_until", "until",
}  # fmt: skip
"""Fields that are UTC milliseconds."""


def table(kind: type[Output], records: Sequence[Output]) -> pa.Table:
    """Return records as a table; raise pyarrow's ArrowException or OverflowError for one that can't be."""
    return pa.Table.from_pylist([msgspec.to_builtins(each) for each in records], schema=schema(kind))


@cache
def schema(kind: type[Output]) -> pa.Schema:
    """Return the columns of a record type."""
    return pa.schema(_fields(inspect.type_info(kind)))


def _fields(struct: Any) -> list[pa.Field]:
    return [pa.field(each.name, _type(each.name, each.type)) for each in struct.fields]


def _type(name: str, kind: Any) -> pa.DataType:
    match kind:
        case inspect.UnionType(types=types):
            (some,) = (each for each in types if not isinstance(each, inspect.NoneType))
            return _type(name, some)
        case inspect.ListType(item_type=item):
            return pa.list_(_type("", item))
        case inspect.StructType():
            return pa.struct(_fields(kind))
        case inspect.IntType():
            return pa.timestamp("ms", "UTC") if name in _TIMES else pa.int64()
        case inspect.FloatType():
            return pa.float64()
        case inspect.BoolType():
            return pa.bool_()
    return pa.string()
