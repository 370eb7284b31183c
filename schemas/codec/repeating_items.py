"""
Codec with a cache for records whose items come again and again, such as the measures of a health record.

Avro lets an array be written in blocks that begin with their length in bytes. Here every item of an array of
records is a block of its own: an item that was written before is copied, and one that was read before is
looked up by its bytes instead of being decoded. Any Avro reader can read the result. Bytes that another
writer wrote with the same schema are left to the reference codec; a property test compares the two.
Source: https://avro.apache.org/docs/1.12.0/specification/#arrays-1
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from io import BytesIO
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

import msgspec
from fastavro import schemaless_reader, schemaless_writer

from schemas.codec.repeating_fields import FieldRun, runs
from schemas.codec.varint import read_varint, varint

__all__ = ["OtherItemsError", "RepeatingItems"]

Schema = dict[str, Any]

_MAX_CACHED = 16_384
"""Items cached of each array, written and read; about 20 MB when full."""

_END, _ONE_ITEM = 0, 1
"""The bytes of the counts zero, the end of an array, and minus one, a block of one item with its length."""

_EMPTY_ARRAY = bytes((_END,))


class OtherItemsError(Exception):
    """The bytes are not a record as this module writes it; they may be one that another writer wrote."""


class RepeatingItems:
    """
    Writes and reads the records of one schema as the reference codec does, faster where items come again.

    ``starts`` says how to part the plain fields into runs, as for ``runs``.
    """

    def __init__(self, schema: Schema, record: type[msgspec.Struct], starts: Mapping[str, bool]) -> None:
        self._record = record
        self._parts = list(_parts(schema, record, starts))

    def write(self, record: msgspec.Struct) -> bytes:
        """Return the record's bytes; raise what fastavro raises where a value doesn't fit its field."""
        return b"".join([part.write(record) for part in self._parts])

    def read(self, data: bytes, at: int) -> msgspec.Struct:
        """Return the record in the bytes from an index on; bytes of other writers raise any exception."""
        fields: dict[str, Any] = {}
        stream = BytesIO(data)
        for part in self._parts:
            read, at = part.read(data, at, stream)
            fields |= read
        if at != len(data):
            raise OtherItemsError
        return self._record(**fields)


def _split(data: bytes, at: int) -> tuple[list[bytes], int]:
    """Return the bytes of each item of the array at an index, and the index after the array."""
    blocks = []
    while data[at] == _ONE_ITEM:
        size, at = read_varint(data, at + 1)
        if size < 0:  # would go back in the bytes, for ever
            raise OtherItemsError
        blocks.append(data[at : at + size])
        at += size
    if data[at] != _END:
        raise OtherItemsError
    return blocks, at + 1


def _parts(schema: Schema, record: type[msgspec.Struct], starts: Mapping[str, bool]) -> Iterator[FieldRun]:
    types = typing.get_type_hints(record)
    for are_arrays, group in groupby(schema["fields"], _is_array_of_records):
        fields = list(group)
        if not are_arrays:
            yield from runs(fields, starts)
            continue
        for field in fields:
            [struct] = typing.get_args(types[field["name"]])
            yield _items(field["name"], *_cached(field["type"]["items"], struct))


def _items(name: str, block: Callable[[Any], bytes], item: Callable[[bytes], Any]) -> FieldRun:
    """Return the part of a record that is an array of records, written and read item by item."""
    items_of = attrgetter(name)

    def write(record: msgspec.Struct) -> bytes:
        items = items_of(record)
        return b"".join([*map(block, items), _EMPTY_ARRAY]) if items else _EMPTY_ARRAY

    def read(data: bytes, at: int, _: BytesIO) -> tuple[dict[str, Any], int]:
        blocks, at = _split(data, at)
        return {name: list(map(item, blocks))}, at

    return FieldRun(write, read)


def _is_array_of_records(field: Schema) -> bool:
    kind = field["type"]
    items = kind["items"] if isinstance(kind, dict) and kind["type"] == "array" else None
    return isinstance(items, dict) and items["type"] == "record"


def _cached(
    schema: Schema, struct: type[msgspec.Struct]
) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
    """Return the functions that write an item as a block, and that read an item from the bytes of one."""
    written: dict[int, tuple[msgspec.Struct, bytes]] = {}

    def block(item: msgspec.Struct) -> bytes:
        # Keyed by identity: most items are the same objects as in the last record, and hashing costs more.
        hit = written.get(id(item))
        if hit is not None:
            return hit[1]  # the cache holds the item, so no other one can have its id
        if len(written) >= _MAX_CACHED:
            for oldest in list(islice(written, _MAX_CACHED // 4)):
                written.pop(oldest, None)
        value = encode(item)
        written[id(item)] = item, value
        return value

    def encode(item: msgspec.Struct) -> bytes:
        out = BytesIO()
        # Minus zero equals zero: it is written as zero, so that the bytes don't depend on which came first.
        fields = {n: v + 0.0 if isinstance(v, float) else v for n, v in msgspec.structs.asdict(item).items()}
        schemaless_writer(out, schema, fields)
        value = out.getvalue()
        return bytes((_ONE_ITEM,)) + varint(len(value)) + value

    @lru_cache(_MAX_CACHED)
    def item(data: bytes) -> msgspec.Struct:
        stream = BytesIO(data)
        fields: Any = schemaless_reader(stream, schema, None)
        if stream.read(1):
            raise OtherItemsError
        return struct(**fields)

    return block, item
