"""
Records whose items come again and again, such as the measures of a health record.

Avro lets an array be written in blocks that say their length in bytes. Here every item of an array of
records is a block of its own, so that an item seen before is copied when written, and found by its bytes
when read, instead of being taken apart. Every Avro reader reads it; what another writer made of the same
schema is left to the reference codec. Source: https://avro.apache.org/docs/1.12.0/specification/#arrays-1
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

_REMEMBERED = 16_384
"""Items remembered of each array, written and read; about 20 MB when full."""

_END, _ONE = 0, 1
"""Zigzag counts: no more items, and minus one, which says one item behind its length in bytes."""

_NONE = bytes((_END,))


class OtherItemsError(Exception):
    """The bytes are not a record as written here; they may be one of another making."""


class RepeatingItems:
    """
    Write and read the records of one schema as the reference codec does, faster where they repeat.

    ``starts`` are the runs of plain fields, as ``runs`` takes them.
    """

    def __init__(self, schema: Schema, record: type[msgspec.Struct], starts: Mapping[str, bool]) -> None:
        self._record = record
        self._parts = list(_parts(schema, record, starts))

    def write(self, record: msgspec.Struct) -> bytes:
        """Return the record's bytes; raise what fastavro raises when a value does not fit its field."""
        return b"".join([part.write(record) for part in self._parts])

    def read(self, data: bytes, at: int) -> msgspec.Struct:
        """Return the record in the bytes from there to the end; raise whatever other bytes provoke."""
        fields: dict[str, Any] = {}
        stream = BytesIO(data)
        for part in self._parts:
            some, at = part.read(data, at, stream)
            fields |= some
        if at != len(data):
            raise OtherItemsError
        return self._record(**fields)


def _split(data: bytes, at: int) -> tuple[list[bytes], int]:
    """Return the bytes of each item of the array that begins there, and where it ends."""
    blocks = []
    while data[at] == _ONE:
        size, at = read_varint(data, at + 1)
        if size < 0:  # would lead backwards
            raise OtherItemsError
        blocks.append(data[at : at + size])
        at += size
    if data[at] != _END:
        raise OtherItemsError
    return blocks, at + 1


def _parts(schema: Schema, record: type[msgspec.Struct], starts: Mapping[str, bool]) -> Iterator[FieldRun]:
    types = typing.get_type_hints(record)
    for repeats, group in groupby(schema["fields"], _is_array_of_records):
        fields = list(group)
        if not repeats:
            yield from runs(fields, starts)
            continue
        for field in fields:
            [struct] = typing.get_args(types[field["name"]])
            yield _items(field["name"], *_remembering(field["type"]["items"], struct))


def _items(name: str, block: Callable[[Any], bytes], item: Callable[[bytes], Any]) -> FieldRun:
    """Return the part that is one array of records, item by item."""
    items = attrgetter(name)

    def write(record: msgspec.Struct) -> bytes:
        found = items(record)
        return b"".join([*map(block, found), _NONE]) if found else _NONE

    def read(data: bytes, at: int, _: BytesIO) -> tuple[dict[str, Any], int]:
        blocks, at = _split(data, at)
        return {name: list(map(item, blocks))}, at

    return FieldRun(write, read)


def _is_array_of_records(field: Schema) -> bool:
    kind = field["type"]
    items = kind["items"] if isinstance(kind, dict) and kind["type"] == "array" else None
    return isinstance(items, dict) and items["type"] == "record"


def _remembering(
    schema: Schema, struct: type[msgspec.Struct]
) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
    written: dict[int, tuple[msgspec.Struct, bytes]] = {}

    def block(item: msgspec.Struct) -> bytes:
        # By identity: most items are the very objects of the last record, and hashing one costs more.
        known = written.get(id(item))
        if known is not None:
            return known[1]  # what is kept here keeps its id
        if len(written) >= _REMEMBERED:
            for old in list(islice(written, _REMEMBERED // 4)):
                written.pop(old, None)
        value = encode(item)
        written[id(item)] = item, value
        return value

    def encode(item: msgspec.Struct) -> bytes:
        out = BytesIO()
        # Equal items give equal bytes, whichever came first: minus zero equals zero.
        fields = {n: v + 0.0 if isinstance(v, float) else v for n, v in msgspec.structs.asdict(item).items()}
        schemaless_writer(out, schema, fields)
        value = out.getvalue()
        return bytes((_ONE,)) + varint(len(value)) + value

    @lru_cache(_REMEMBERED)
    def item(data: bytes) -> msgspec.Struct:
        stream = BytesIO(data)
        fields: Any = schemaless_reader(stream, schema, None)
        if stream.read(1):
            raise OtherItemsError
        return struct(**fields)

    return block, item
