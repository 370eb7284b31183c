"""
Decode many usage events at once, straight from the broker's record batches.

A record in a Kafka batch (format v2) is written with the same zig-zag varints and length-prefixed bytes
as Avro. So the records of a batch *are* Avro data: of a record whose fields are Kafka's own around those
of the event. Put behind the header of an Avro object container, with each Kafka batch as a block, they
are read by a columnar Avro reader in one call, without an object per record. The items of envelopes
(``schemas.envelope``) are plain events; those of many records make one block.

What such a reader would misread (a null key, headers, another schema id, bytes left over inside a value)
is recognised by sizes: every record must be exactly as long as its decoded fields say. And each byte that
chooses a union's branch or is a boolean must be the one its decoded value is written with.

Sources: https://kafka.apache.org/documentation/#record and
https://avro.apache.org/docs/1.12.0/specification/#object-container-files
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from schemas.envelope import ENVELOPE_SUBJECT, MAX_EVENTS
from schemas.registry import Registry, Schema
from schemas.varint import read_varint, varint, varint_sizes

__all__ = ["Body", "Columns", "NotColumnarError"]

_SUBJECT = "usage.events-value"
_SYNC = b"bellbuoy records"
_PREFIX = 5

Numbers = NDArray[np.int64]


class NotColumnarError(ValueError):
    """These bytes can't be read in columns; read fewer of them at once, or one by one."""


class Body(NamedTuple):
    """The events in a record's value: how many it says there are, and their bytes."""

    events: int
    data: bytes


class Columns:
    """Read the records of ``usage.events`` in columns."""

    def __init__(self, registry: Registry) -> None:
        self._event, self._envelope = registry.prefix(_SUBJECT), registry.prefix(ENVELOPE_SUBJECT)
        fields = registry.readers[_SUBJECT]["fields"]
        self._fields: list[dict[str, Any]] = [{"name": f["name"], "type": f["type"]} for f in fields]
        self._names = [field["name"] for field in fields]
        self._records = _container_header(_enclosing(self._fields))
        self._events = _container_header({"type": "record", "name": "Event", "fields": self._fields})

    def may_hold_envelopes(self, payload: bytes) -> bool:
        """Tell whether there may be an envelope among a batch's records; they are read by their bodies."""
        return self._envelope in payload

    def body(self, value: bytes | None) -> Body | None:
        """Return the body of a record, of one event or many, or None when only the codec can tell."""
        if value is None or not value.startswith((self._event, self._envelope)):
            return None
        if value.startswith(self._event):
            return Body(1, value[_PREFIX:])
        try:
            events, first = read_varint(value, _PREFIX)
        except ValueError:
            return None
        if events == 0 and first == len(value):
            return Body(0, b"")
        # An array of one block, as most writers make it: count, items, zero. The items' sizes tell.
        return Body(events, value[first:-1]) if 0 < events <= MAX_EVENTS and value[-1] == 0 else None

    def read_bodies(self, bodies: Sequence[Body]) -> pl.DataFrame:
        """Return the events in these bodies, in order; raise NotColumnarError as ``read`` does."""
        events = np.array([body.events for body in bodies], np.int64)
        data = b"".join(body.data for body in bodies)
        raw, [start] = _container(self._events, [(data, int(events.sum()))])
        frame = _decoded(raw, int(events.sum()))
        sizes = self._sizes(frame)
        lengths = self._lengths(sizes)
        ends = _running(sum(lengths, np.zeros(len(frame), np.int64)))
        rows = _running(events)
        if not np.array_equal(np.diff(ends[rows]), [len(body.data) for body in bodies]):
            raise NotColumnarError("a record's length is not that of its events")
        self._see_choices(sizes, lengths, raw, start + ends[:-1])
        return frame

    def read(self, payloads: Sequence[tuple[bytes, int]]) -> pl.DataFrame:
        """
        Return the events in these batch payloads (decompressed bytes, record count), in order.

        Columns are the event's fields and ``offset_delta``. Raises NotColumnarError when any record can't
        be read this way, for one because it is an envelope; then nothing is known of the others.
        """
        counts = np.array([count for _, count in payloads], np.int64)
        raw, starts = _container(self._records, payloads)
        frame = _decoded(raw, int(counts.sum()))
        sizes = self._sizes(
            frame,
            *(pl.col(name) for name in ("_length", "_timestamp", "_offset", "_value", "_headers")),
            pl.col("_key").bin.size().cast(pl.Int64),
            (pl.col("_prefix") == self._event).alias("_ours"),
        )
        lengths = self._lengths(sizes)
        value = sum(lengths, np.full(len(frame), _PREFIX, np.int64))
        key = sizes["_key"]
        deltas = varint_sizes(sizes["_timestamp"]) + varint_sizes(sizes["_offset"])
        before = 1 + deltas + varint_sizes(key) + key + varint_sizes(value)
        whole = before + value + 1
        if not (
            np.array_equal(value, sizes["_value"])
            and np.array_equal(whole, sizes["_length"])
            and not sizes["_headers"].any()
        ):
            raise NotColumnarError("a record's length is not that of its fields")
        if not sizes["_ours"].all():
            raise NotColumnarError("a record was written with another schema")
        length = varint_sizes(whole)
        ends = _running(length + whole)
        blocks = np.array(starts, np.int64) - ends[_running(counts)[:-1]]
        self._see_choices(
            sizes, lengths, raw, np.repeat(blocks, counts) + ends[:-1] + length + before + _PREFIX
        )
        return frame.select([*self._names, pl.col("_offset").alias("offset_delta")])

    def _sizes(self, frame: pl.DataFrame, *more: pl.Expr) -> dict[str, NDArray[Any]]:
        """
        Return what the sizes of the fields follow from, by column, and of more columns themselves.

        That is of a text its length, of a number or boolean the value, and of a field that may be null, by
        its name and a question mark, whether it is not. One query does it: what a query costs is mostly
        that it is one.
        """
        found = []
        for field in self._fields:
            name, kind = field["name"], field["type"]
            column = pl.col(name)
            if isinstance(kind, list):
                kind = kind[1]
                found.append(column.is_not_null().alias(f"{name}?"))
            if kind == "string":
                column = column.str.len_bytes().cast(pl.Int64)
            found.append(column if kind == "boolean" else column.fill_null(0))
        columns = frame.select(*found, *more)
        return {column.name: column.to_numpy() for column in columns}

    def _lengths(self, sizes: dict[str, NDArray[Any]]) -> list[Numbers]:
        """Return the bytes each field takes, written in the shortest form."""
        lengths = []
        for field in self._fields:
            name, kind = field["name"], field["type"]
            if isinstance(kind, list):
                lengths.append(np.where(sizes[f"{name}?"], _length(sizes[name], kind[1]), 0) + 1)
            else:
                lengths.append(_length(sizes[name], kind))
        return lengths

    def _see_choices(
        self, sizes: dict[str, NDArray[Any]], lengths: list[Numbers], raw: bytes, at: Numbers
    ) -> None:
        """Raise NotColumnarError unless each branch and boolean of the events, which begin *at*, is exact."""
        data = np.frombuffer(raw, np.uint8)
        for field, length in zip(self._fields, lengths, strict=True):
            match field["type"]:
                case "boolean":
                    same = data[at] == sizes[field["name"]]
                case ["null", _]:
                    same = data[at] == 2 * sizes[f"{field['name']}?"]
                case _:
                    same = np.True_
            if not same.all():
                raise NotColumnarError(f"{field['name']} is not written as it reads")
            at = at + length


def _enclosing(fields: list[dict[str, Any]]) -> Schema:
    return {
        "type": "record",
        "name": "KafkaRecord",
        "fields": [
            {"name": "_length", "type": "long"},
            {"name": "_attributes", "type": {"type": "fixed", "name": "Attributes", "size": 1}},
            {"name": "_timestamp", "type": "long"},
            {"name": "_offset", "type": "long"},
            {"name": "_key", "type": "bytes"},
            {"name": "_value", "type": "long"},
            {"name": "_prefix", "type": {"type": "fixed", "name": "Prefix", "size": _PREFIX}},
            *fields,
            {"name": "_headers", "type": "long"},
        ],
    }


def _container_header(schema: Schema) -> bytes:
    meta = {"avro.schema": msgspec.json.encode(schema), "avro.codec": b"null"}
    header = b"Obj\x01" + varint(len(meta))
    for key, value in meta.items():
        header += varint(len(key)) + key.encode() + varint(len(value)) + value
    return header + b"\0" + _SYNC


def _container(header: bytes, blocks: Sequence[tuple[bytes, int]]) -> tuple[bytes, list[int]]:
    """Return a container of these blocks (bytes, record count) and where each one's bytes begin."""
    parts, starts, size = [header], [], len(header)
    for data, count in blocks:
        before = varint(count) + varint(len(data))
        starts.append(size + len(before))
        size = starts[-1] + len(data) + len(_SYNC)
        parts += (before, data, _SYNC)
    return b"".join(parts), starts


def _decoded(container: bytes, expected: int) -> pl.DataFrame:
    try:
        frame = pl.read_avro(BytesIO(container))
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a decoder's panic is no Exception, and must not end the process
        raise NotColumnarError(f"{type(error).__name__}: {error}") from error
    if len(frame) != expected:
        raise NotColumnarError(f"{len(frame)} records instead of {expected}")
    return frame


def _length(sizes: Numbers, kind: str) -> Numbers:
    match kind:
        case "string":
            return varint_sizes(sizes) + sizes
        case "long" | "int":
            return varint_sizes(sizes)
        case "boolean":
            return np.ones(len(sizes), np.int64)
    raise NotImplementedError(f"no size for {kind}")


def _running(numbers: Numbers) -> Numbers:
    """Return the sums of the first 0, 1, 2 … numbers."""
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(numbers, dtype=np.int64)))
