"""
Entries of tables that keep every record, for a comparison with Kafka: the newest row of each account. Pure.

A row becomes a record again before its digest is taken, so a column that is younger than the row counts as
the default of its field, as it does when an old record is decoded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import inspect

from schemas.records import AccountHealth, AccountKpis
from sinks.port import Output, SinkEntry

__all__ = ["VERSIONED_KEY", "entry_of", "newest_entries", "without_entries"]

VERSIONED_KEY = ("tenant", "account_id", "as_of", "sequence")
"""The columns that say which account a row is of, and which of two rows is newer."""

_EPOCH = datetime.fromtimestamp(0, UTC)
_VersionedKey = tuple[str, str, int, int]


def entry_of(record: AccountHealth | AccountKpis) -> SinkEntry:
    """Return the entry of a record that was written once."""
    digest = _digest(type(record), msgspec.to_builtins(record))
    return SinkEntry(record.tenant, record.account_id, record.as_of, record.sequence, digest)


def newest_entries(
    kind: type[Output], read: Callable[[Sequence[str] | None], Iterable[pa.Table]]
) -> Iterator[SinkEntry]:
    """
    Yield the entry of the newest row of each account that is not deleted.

    ``read`` returns all rows, with these columns or with all. Of a row that is there twice the digest is one
    that no record has.
    """
    newest: dict[tuple[str, str], tuple[int, int]] = {}
    for rows in read(VERSIONED_KEY):
        for tenant, account_id, as_of, sequence in _keys(rows):
            account, version = (tenant, account_id), (as_of, sequence)
            if version >= newest.get(account, version):
                newest[account] = version
    digests: dict[tuple[str, str], list[bytes]] = defaultdict(list)
    for rows in read(None):
        wanted = [n for n, key in enumerate(_keys(rows)) if newest[key[:2]] == key[2:]]
        for row in rows.take(pa.array(wanted, pa.int64())).to_pylist():
            if not row.get("deleted"):
                digests[row["tenant"], row["account_id"]].append(_digest(kind, row))
    for account, found in digests.items():
        yield SinkEntry(*account, *newest[account], b"".join(sorted(found)))


def without_entries(
    rows: pa.Table, entries: Collection[SinkEntry], *, with_older: bool = False
) -> tuple[pa.Table, int]:
    """Return the table without the rows of these entries, or also the older ones, and how many those are."""
    versions = {(entry.tenant, entry.account_id): (entry.as_of, entry.sequence) for entry in entries}

    def stays(key: _VersionedKey) -> bool:
        gone = versions.get(key[:2])
        return gone is None or (key[2:] > gone if with_older else key[2:] != gone)

    kept = [number for number, key in enumerate(_keys(rows)) if stays(key)]
    return rows.take(pa.array(kept, pa.int64())), len(rows) - len(kept)


def _keys(rows: pa.Table) -> Iterator[_VersionedKey]:
    tenant, account_id, as_of, sequence = (rows[name] for name in VERSIONED_KEY)
    milliseconds = as_of.cast(pa.timestamp("ms", "UTC")).cast(pa.int64())
    columns = (tenant, account_id, milliseconds, sequence)
    return zip(*(column.to_pylist() for column in columns), strict=True)


def _digest(kind: type[Output], row: Mapping[str, Any]) -> bytes:
    try:
        record = msgspec.convert(_value(inspect.type_info(kind), row), kind)
    except msgspec.ValidationError:  # changed into what no record can be
        return b""
    return blake2b(msgspec.msgpack.encode(record), digest_size=16).digest()


def _value(kind: Any, value: Any) -> Any:
    """Return a value of a row as a decoder takes it: milliseconds for a time, no field that has no value."""
    match kind:
        case inspect.UnionType(types=types):
            (some,) = (each for each in types if not isinstance(each, inspect.NoneType))
            return None if value is None else _value(some, value)
        case inspect.ListType(item_type=item):
            return [_value(item, each) for each in value or ()]
        case inspect.StructType(fields=fields):
            given = (each for each in fields if each.required or value.get(each.name) is not None)
            return {each.name: _value(each.type, value.get(each.name)) for each in given}
    return (value - _EPOCH) // timedelta(milliseconds=1) if isinstance(value, datetime) else value
