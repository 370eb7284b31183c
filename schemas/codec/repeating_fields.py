"""
Cache of runs of plain fields of a record, whose bytes are copied where the same values come again.

An Avro record's bytes are those of its fields one after the other, so that a run of fields can be written and
read by itself. The reference codec writes a run once for its values, and reads it once for its bytes. What
this saves is in docs/performance.md; a property test holds that it changes no byte.
Source: https://avro.apache.org/docs/1.12.0/specification/#schema-record
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from io import BytesIO
from operator import attrgetter
from typing import Any, NamedTuple, cast

import msgspec
from fastavro import parse_schema, schemaless_reader, schemaless_writer

__all__ = ["FieldRun", "runs"]

Schema = dict[str, Any]
Write = Callable[[msgspec.Struct], bytes]
Read = Callable[[bytes, int, BytesIO], tuple[dict[str, Any], int]]

_MAX_CACHED = 16_384
"""Runs cached of each kind, written and read; one takes some 500 bytes."""

_KEY_BYTES = 32
"""The length of the key in the cache of runs read: a run's first bytes, and what follows a shorter one."""


class FieldRun(NamedTuple):
    """
    Writer and reader of fields that stand together in a record.

    ``read`` takes the bytes, the index where the fields begin, and a stream of the same bytes; it returns the
    fields and the index after them.
    """

    write: Write
    read: Read


def runs(fields: Sequence[Schema], starts: Mapping[str, bool]) -> Iterator[FieldRun]:
    """
    Yield the runs of these plain fields of a record, in their order.

    ``starts`` names the fields that begin a run, and whether that run is cached; the run of the first field
    is, unless ``starts`` says otherwise. Runs raise what fastavro raises, for values that don't fit and for
    broken bytes.
    """
    run: list[Schema] = []
    for field in fields:
        if run and field["name"] in starts:
            yield _run(run, cached=starts.get(run[0]["name"], True))
            run = []
        run.append(field)
    yield _run(run, cached=starts.get(run[0]["name"], True))


def _run(fields: list[Schema], *, cached: bool) -> FieldRun:
    names = [field["name"] for field in fields]
    schema = cast("Schema", parse_schema({"type": "record", "name": "Run", "fields": fields}))
    lists = {number for number, field in enumerate(fields) if _is_array(field["type"])}
    return FieldRun(
        _writer(names, schema, lists, cached=cached), _reader(schema, cached=cached and not lists)
    )


def _writer(names: list[str], schema: Schema, lists: set[int], *, cached: bool) -> Write:
    values_of = attrgetter(*names) if len(names) > 1 else lambda record: (getattr(record, names[0]),)

    def encode(*values: Any) -> bytes:
        out = BytesIO()
        schemaless_writer(out, schema, dict(zip(names, values, strict=True)))
        return out.getvalue()

    def write(record: msgspec.Struct) -> bytes:
        return encode(*values_of(record))

    # Types are compared too: True equals 1 and 1.0, and a field takes only one of them.
    encode_cached = lru_cache(_MAX_CACHED, typed=True)(encode)

    def write_cached(record: msgspec.Struct) -> bytes:
        values: Sequence[Any] = values_of(record)
        if lists:
            values = [tuple(value) if number in lists else value for number, value in enumerate(values)]
        if 0.0 in values:  # minus zero equals zero, and has other bytes
            return encode(*values)
        return encode_cached(*values)

    return write_cached if cached else write


def _reader(schema: Schema, *, cached: bool) -> Read:
    cache: dict[bytes, tuple[bytes, dict[str, Any]]] = {}

    def read(_: bytes, at: int, stream: BytesIO) -> tuple[dict[str, Any], int]:
        stream.seek(at)
        return cast("dict[str, Any]", schemaless_reader(stream, schema, None)), stream.tell()

    def read_cached(data: bytes, at: int, stream: BytesIO) -> tuple[dict[str, Any], int]:
        key = data[at : at + _KEY_BYTES]
        hit = cache.get(key)
        if hit is not None and data.startswith(hit[0], at):
            return hit[1], at + len(hit[0])
        fields, end = read(data, at, stream)
        if len(cache) >= _MAX_CACHED:
            cache.clear()
        cache[key] = data[at:end], fields
        return fields, end

    return read_cached if cached else read


def _is_array(kind: Any) -> bool:
    return isinstance(kind, dict) and kind["type"] == "array"
