"""
Read usage records, of one event or many, in columns wherever they can be.

There are three ways, each for what the one before can't read: whole record batches at once; the bodies of
records put together, where a batch holds envelopes, headers or a null key; and record by record with the
reference codec. So a bad record costs nothing but itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from processors.admit import Admission
from processors.columns import SCHEMA, admissible
from schemas.columns import Body, Columns, NotColumnarError
from schemas.envelope import Envelopes
from schemas.errors import SchemaError
from schemas.registry import Registry
from streams.fetch import RawBatch
from streams.kafka import Record

__all__ = ["PLACED", "Arrival", "Decoded", "UsageReader"]

PLACED: dict[str, type[pl.DataType]] = {**SCHEMA, "offset": pl.Int64, "place": pl.Int64}
"""Columns of a usage frame that also says where each event stands: its record, its place therein."""

Payloads = list[tuple[RawBatch, bytes]]

_SLICE_BYTES = 3_000_000
_WORTH_COLUMNS = 16_384


class Arrival(NamedTuple):
    """One event as it came: its record, its place therein, its decoded fields."""

    record: Record
    place: int
    fields: dict[str, Any]


@dataclass(slots=True)
class Decoded:
    """
    Events in the order of the log within each part.

    ``frames`` hold those that surely may enter the journal, ``doubtful`` those that ``admit`` must judge;
    ``refused`` are the records that can't be decoded.
    """

    frames: list[pl.DataFrame] = field(default_factory=list)
    doubtful: list[Arrival] = field(default_factory=list)
    refused: list[tuple[Record, SchemaError]] = field(default_factory=list)


class UsageReader:
    """Decode the usage records of one partition."""

    def __init__(self, registry: Registry, limits: Admission, partition: int, partitions: int) -> None:
        self._columns = Columns(registry)
        self._envelopes = Envelopes(registry)
        self._limits, self._partition, self._partitions = limits, partition, partitions
        self._enveloped = False  # looking for envelopes costs where there are none

    def read(self, batches: Iterable[RawBatch], now: int) -> Iterator[Decoded]:
        """Yield what these batches hold, some megabytes at a time; *now* is the journal's time."""
        for some in _slices(batches):
            into = Decoded()
            whole, apart = self._told_apart(some) if self._enveloped else (some, [])
            self._enveloped = bool(apart)
            apart += self._whole(whole, now, into)
            self._bodies((record for batch in apart for record in batch.records()), now, into)
            yield into

    def _told_apart(self, some: Payloads) -> tuple[Payloads, list[RawBatch]]:
        """Return the batches that hold single events only, and those that may hold envelopes."""
        whole: Payloads = []
        apart: list[RawBatch] = []
        for batch, payload in some:
            if self._columns.may_hold_envelopes(payload):
                apart.append(batch)
            else:
                whole.append((batch, payload))
        return whole, apart

    def _whole(self, batches: Payloads, now: int, into: Decoded) -> list[RawBatch]:
        """Read whole batches; return those that can't be read so."""
        if not batches:
            return []
        try:
            frame = self._columns.read([(payload, batch.count) for batch, payload in batches])
        except NotColumnarError:
            whole, apart = self._told_apart(batches)
            if apart:
                self._enveloped = True
                return apart + self._whole(whole, now, into)
            if len(batches) == 1:
                return [batches[0][0]]
            middle = len(batches) // 2
            return self._whole(batches[:middle], now, into) + self._whole(batches[middle:], now, into)
        counts = [batch.count for batch, _ in batches]
        offsets = np.repeat([batch.base for batch, _ in batches], counts) + frame["offset_delta"].to_numpy()
        unread = (offsets >= np.repeat([batch.first for batch, _ in batches], counts)) & (
            offsets < np.repeat([batch.end for batch, _ in batches], counts)
        )
        placed = frame.drop("offset_delta").with_columns(offset=offsets, place=pl.lit(0, pl.Int64))
        doubtful = self._admissible(placed if unread.all() else placed.filter(unread), now, into)
        at = set(doubtful["offset"].to_list())
        records = [
            record
            for batch, _ in batches
            if at and not at.isdisjoint(range(batch.base, batch.end))
            for record in batch.records()
            if record.offset in at
        ]
        into.doubtful += _arrivals(doubtful, records)
        return []

    def _bodies(self, records: Iterable[Record], now: int, into: Decoded) -> None:
        """Read records by their bodies, in columns where they look as if that could be done."""
        readable: list[tuple[Record, Body]] = []
        for record in records:
            body = self._columns.body(record.value)
            if body is None:
                self._one(record, into)
            else:
                readable.append((record, body))
        self._together(readable, now, into)

    def _together(self, given: list[tuple[Record, Body]], now: int, into: Decoded) -> None:
        if not given:
            return
        try:
            frame = self._columns.read_bodies([body for _, body in given])
        except NotColumnarError:
            if len(given) == 1 or sum(len(body.data) for _, body in given) < _WORTH_COLUMNS:
                for record, _ in given:
                    self._one(record, into)
                return
            middle = len(given) // 2
            self._together(given[:middle], now, into)
            self._together(given[middle:], now, into)
            return
        events = np.array([body.events for _, body in given])
        offsets = np.repeat([record.offset for record, _ in given], events)
        places = np.arange(len(frame)) - np.repeat(np.cumsum(events) - events, events)
        doubtful = self._admissible(frame.with_columns(offset=offsets, place=places), now, into)
        into.doubtful += _arrivals(doubtful, [record for record, _ in given])

    def _one(self, record: Record, into: Decoded) -> None:
        """Read a record with the reference codec."""
        try:
            events = self._envelopes.unpack(record.value)
        except SchemaError as error:
            into.refused.append((record, error))
        else:
            into.doubtful += (Arrival(record, place, fields) for place, fields in enumerate(events))

    def _admissible(self, frame: pl.DataFrame, now: int, into: Decoded) -> pl.DataFrame:
        """Keep the events that surely may enter the journal; return the others."""
        sure = admissible(frame, now, self._limits, self._partition, self._partitions)
        if sure.all():
            into.frames.append(frame)
            return frame.clear()
        into.frames.append(frame.filter(sure))
        return frame.filter(~sure)


def _arrivals(frame: pl.DataFrame, records: Iterable[Record]) -> Iterator[Arrival]:
    if len(frame):
        by_offset = {record.offset: record for record in records}
        for row in frame.iter_rows(named=True):
            yield Arrival(by_offset[row.pop("offset")], row.pop("place"), row)


def _slices(batches: Iterable[RawBatch]) -> Iterator[Payloads]:
    """Cut batches into lists of about ``_SLICE_BYTES``: what is decoded at once is held at once."""
    some: Payloads = []
    size = 0
    for batch in batches:
        payload = batch.payload()
        some.append((batch, payload))
        size += len(payload)
        if size >= _SLICE_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some
