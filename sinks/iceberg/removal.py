"""Removal of single rows of Iceberg tables, which differ from what was published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from pyiceberg import expressions
from pyiceberg.table import Table

from schemas.times import iso
from sinks.port import SinkEntry

__all__ = ["remove_rows"]

_where: Any = expressions  # its classes take positional arguments, which their types don't say
_MOST_CONDITIONS = 50
"""Expressions are nested one in the other, and read by recursion."""


def remove_rows(
    table: Table, entries: Sequence[SinkEntry], properties: Mapping[str, str], *, with_older: bool
) -> None:
    """Commit snapshots with these properties and without the rows of these entries, or also older ones."""
    wheres = [_older(entry) if with_older else _only(entry) for entry in entries]
    for start in range(0, len(wheres), _MOST_CONDITIONS):
        where = reduce(_where.Or, wheres[start : start + _MOST_CONDITIONS])
        table.delete(where, snapshot_properties=dict(properties))


def _only(entry: SinkEntry) -> Any:
    version = _where.And(_where.EqualTo("as_of", _time(entry)), _where.EqualTo("sequence", entry.sequence))
    return _where.And(_account(entry), version)


def _older(entry: SinkEntry) -> Any:
    same = _where.And(
        _where.EqualTo("as_of", _time(entry)), _where.LessThanOrEqual("sequence", entry.sequence)
    )
    return _where.And(_account(entry), _where.Or(_where.LessThan("as_of", _time(entry)), same))


def _account(entry: SinkEntry) -> Any:
    return _where.And(_where.EqualTo("tenant", entry.tenant), _where.EqualTo("account_id", entry.account_id))


def _time(entry: SinkEntry) -> str:
    return iso(entry.as_of).replace("Z", "+00:00")
