"""
Runs of plain fields of a record: what seldom changes is written by the reference codec once, then copied.

An Avro record's bytes are those of its fields one after the other, so that its runs may be written apart.
Source: https://avro.apache.org/docs/1.12.0/specification/#schema-record
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from io import BytesIO
from operator import attrgetter
from typing import Any, cast

import msgspec
from fastavro import parse_schema, schemaless_writer

__all__ = ["run_writers"]

Schema = dict[str, Any]
Write = Callable[[msgspec.Struct], bytes]

_REMEMBERED = 16_384
"""Runs remembered of each kind; a key and its bytes take some 500 bytes."""


def run_writers(fields: Sequence[Schema], starts: Mapping[str, bool]) -> Iterator[Write]:
    """
    Yield the functions that write these plain fields of a record, in their order.

    ``starts`` names fields at which another run starts, and whether it repeats; the first one does unless it
    is said there. They raise what fastavro raises when a value does not fit its field.
    """
    run: list[Schema] = []
    for field in fields:
        if run and field["name"] in starts:
            yield _writer(run, repeats=starts.get(run[0]["name"], True))
            run = []
        run.append(field)
    yield _writer(run, repeats=starts.get(run[0]["name"], True))


def _writer(fields: list[Schema], *, repeats: bool) -> Write:
    names = [field["name"] for field in fields]
    schema = cast("Schema", parse_schema({"type": "record", "name": "Run", "fields": fields}))
    of = attrgetter(*names) if len(names) > 1 else lambda record: (getattr(record, names[0]),)

    def write(*values: Any) -> bytes:
        out = BytesIO()
        schemaless_writer(out, schema, dict(zip(names, values, strict=True)))
        return out.getvalue()

    def fresh(record: msgspec.Struct) -> bytes:
        return write(*of(record))

    # By type as well: True equals 1 and 1.0, and only one of them fits.
    remembered = lru_cache(_REMEMBERED, typed=True)(write)
    lists = {place for place, field in enumerate(fields) if _is_array(field["type"])}

    def known(record: msgspec.Struct) -> bytes:
        values: Sequence[Any] = of(record)
        if lists:
            values = [tuple(value) if place in lists else value for place, value in enumerate(values)]
        if 0.0 in values:  # minus zero equals zero, and is written otherwise
            return write(*values)
        return remembered(*values)

    return known if repeats else fresh


def _is_array(kind: Any) -> bool:
    return isinstance(kind, dict) and kind["type"] == "array"
