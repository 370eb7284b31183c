"""
Runs of plain fields of a record: what seldom changes is left to the reference codec once, then copied.

An Avro record's bytes are those of its fields one after the other, so that its runs may be written apart.
They are read one after the other, too: where bytes go on as a run did that was read before, it is there
again.
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

_REMEMBERED = 16_384
"""Runs remembered of each kind, written and read; one takes some 500 bytes."""

_GUESS = 32
"""So many bytes tell which run that was read before may be there again."""


class FieldRun(NamedTuple):
    """
    Writes and reads fields that stand together in a record.

    ``read`` takes the bytes, where the fields begin, and a stream of the same bytes; it returns the fields
    and where they end.
    """

    write: Write
    read: Read


def runs(fields: Sequence[Schema], starts: Mapping[str, bool]) -> Iterator[FieldRun]:
    """
    Yield the runs of these plain fields of a record, in their order.

    ``starts`` names fields at which another run starts, and whether it repeats; the first one does unless it
    is said there. They raise what fastavro raises, for values that don't fit and for broken bytes.
    """
    run: list[Schema] = []
    for field in fields:
        if run and field["name"] in starts:
            yield _run(run, repeats=starts.get(run[0]["name"], True))
            run = []
        run.append(field)
    yield _run(run, repeats=starts.get(run[0]["name"], True))


def _run(fields: list[Schema], *, repeats: bool) -> FieldRun:
    names = [field["name"] for field in fields]
    schema = cast("Schema", parse_schema({"type": "record", "name": "Run", "fields": fields}))
    lists = {place for place, field in enumerate(fields) if _is_array(field["type"])}
    return FieldRun(
        _writer(names, schema, lists, repeats=repeats), _reader(schema, repeats=repeats and not lists)
    )


def _writer(names: list[str], schema: Schema, lists: set[int], *, repeats: bool) -> Write:
    of = attrgetter(*names) if len(names) > 1 else lambda record: (getattr(record, names[0]),)

    def write(*values: Any) -> bytes:
        out = BytesIO()
        schemaless_writer(out, schema, dict(zip(names, values, strict=True)))
        return out.getvalue()

    def fresh(record: msgspec.Struct) -> bytes:
        return write(*of(record))

    # By type as well: True equals 1 and 1.0, and only one of them fits.
    remembered = lru_cache(_REMEMBERED, typed=True)(write)

    def known(record: msgspec.Struct) -> bytes:
        values: Sequence[Any] = of(record)
        if lists:
            values = [tuple(value) if place in lists else value for place, value in enumerate(values)]
        if 0.0 in values:  # minus zero equals zero, and is written otherwise
            return write(*values)
        return remembered(*values)

    return known if repeats else fresh


def _reader(schema: Schema, *, repeats: bool) -> Read:
    found: dict[bytes, tuple[bytes, dict[str, Any]]] = {}

    def fresh(_: bytes, at: int, stream: BytesIO) -> tuple[dict[str, Any], int]:
        stream.seek(at)
        return cast("dict[str, Any]", schemaless_reader(stream, schema, None)), stream.tell()

    def known(data: bytes, at: int, stream: BytesIO) -> tuple[dict[str, Any], int]:
        guess = data[at : at + _GUESS]
        before = found.get(guess)
        if before is not None and data.startswith(before[0], at):
            return before[1], at + len(before[0])
        fields, end = fresh(data, at, stream)
        if len(found) >= _REMEMBERED:
            found.clear()
        found[guess] = data[at:end], fields
        return fields, end

    return known if repeats else fresh


def _is_array(kind: Any) -> bool:
    return isinstance(kind, dict) and kind["type"] == "array"
