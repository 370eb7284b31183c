"""
Tables of the ClickHouse sink: their DDL, taken from the columns of each record type.

A table keeps every record of the past. Its order is that of key and version, and ReplacingMergeTree makes one
of the rows that agree in it, so that a record may be written twice. A view has the newest record of each key.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

import pyarrow as pa

from schemas.records import AccountHealth, AccountKpis, RiskAlert
from sinks.columns import TABLES, schema
from sinks.port import Output

__all__ = ["ORDER", "statements"]

ORDER: Mapping[type[Output], tuple[str, ...]] = {
    AccountHealth: ("tenant", "account_id", "as_of", "sequence"),
    AccountKpis: ("tenant", "account_id", "as_of", "sequence"),
    RiskAlert: ("tenant", "alert_id", "changed_at", "sequence", "change"),
}
_SCALARS = {pa.string(): "String", pa.int64(): "Int64", pa.float64(): "Float64", pa.bool_(): "Bool"}


def statements(kind: type[Output], there: Container[str]) -> Iterator[str]:
    """Yield what makes the table and the view of a record type, or adds columns that aren't *there*."""
    table, order = TABLES[kind], ORDER[kind]
    columns = {field.name: _type(field.type, nullable=field.name not in order) for field in schema(kind)}
    if all(name in there for name in columns):
        return
    body = ", ".join(f"`{name}` {type_}" for name, type_ in columns.items())
    yield (
        f"CREATE TABLE IF NOT EXISTS {table} ({body}) ENGINE = ReplacingMergeTree "
        f"PARTITION BY toYYYYMM({order[2]}) ORDER BY ({', '.join(order)})"
    )
    adding = (f"ADD COLUMN IF NOT EXISTS `{name}` {type_}" for name, type_ in columns.items())
    yield f"ALTER TABLE {table} {', '.join(adding)}"
    newest = ", ".join(f"{each} DESC" for each in order[2:])
    deleted = "WHERE NOT coalesce(deleted, false)" if "deleted" in columns else ""
    yield (
        f"CREATE OR REPLACE VIEW latest_{table} AS SELECT * FROM (SELECT * FROM {table} "  # noqa: S608 - names of ours
        f"ORDER BY {newest} LIMIT 1 BY {', '.join(order[:2])}) {deleted}"
    )


def _type(kind: pa.DataType, *, nullable: bool) -> str:
    if pa.types.is_list(kind):
        return f"Array({_type(kind.value_type, nullable=not pa.types.is_nested(kind.value_type))})"
    if pa.types.is_struct(kind):
        fields = (
            f"`{each.name}` {_type(each.type, nullable=not pa.types.is_nested(each.type))}" for each in kind
        )
        return f"Tuple({', '.join(fields)})"
    name = "DateTime64(3, 'UTC')" if pa.types.is_timestamp(kind) else _SCALARS[kind]
    return f"Nullable({name})" if nullable else name
