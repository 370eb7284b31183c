"""
Read usage records, of one event or many, in columns wherever they can be.

What columns can't read (``schemas.columnar.usage_decoder``) is read record by record with the reference
codec, so a bad record costs nothing but itself.
"""

from __future__ import annotations

import secrets
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.intake.admission import Admission
from processors.intake.columnar_admission import Names, admissible
from schemas.codec.envelope import Envelopes
from schemas.codec.errors import SchemaError
from schemas.codec.registry import Registry
from schemas.columnar.usage_decoder import Columns, Piece, UsageColumns
from streams.kafka.clients import Record
from streams.kafka.record_batches import RawBatch

__all__ = ["Arrival", "Decoded", "UsageReader"]

_SLICE_BYTES = 8_000_000


class Arrival(NamedTuple):
    """One event as it came: its record, its place therein, its decoded fields."""

    record: Record
    place: int
    fields: dict[str, Any]


@dataclass(slots=True)
class Decoded:
    """
    Events in the order of the log within each part.

    ``events`` (``processors.intake.columnar_admission.USAGE``) surely may enter the journal, ``doubtful`` are
    those that ``admit`` must judge; ``refused`` are the records that can't be decoded.
    """

    events: NDArray[Any]
    doubtful: list[Arrival] = field(default_factory=list)
    refused: list[tuple[Record, SchemaError]] = field(default_factory=list)


class UsageReader:
    """Decode the usage records of one partition."""

    def __init__(self, registry: Registry, limits: Admission, partition: int, partitions: int) -> None:
        self._columns = Columns(registry, secrets.randbits(64))
        self._envelopes = Envelopes(registry)
        self._limits, self._partition, self._partitions = limits, partition, partitions

    def read(self, batches: Iterable[RawBatch], names: Names, now: int) -> Iterator[Decoded]:
        """
        Yield what these batches hold, some megabytes at a time; *now* is the journal's time.

        Accounts and features are numbered among *names*.
        """
        for some, pieces in _slices(batches):
            columns = self._columns.read(pieces)
            events, sure = admissible(columns, names, now, self._limits, self._partition, self._partitions)
            into = Decoded(events)
            if not sure.all() or len(columns.odd) or len(columns.broken):
                self._rest(some, columns, sure, into)
            yield into

    def _rest(
        self, batches: list[RawBatch], columns: UsageColumns, sure: NDArray[np.bool_], into: Decoded
    ) -> None:
        """Read what isn't surely admissible, each with the record that it came in."""
        rows = columns.rows[~sure]
        broken = set(columns.broken.tolist())
        odd = set(columns.odd.tolist())
        wanted = odd.union(rows["offset"].tolist())
        firsts = [batch.first for batch in batches]
        records: dict[int, Record] = {}
        for number in sorted(broken.union(bisect_right(firsts, offset) - 1 for offset in wanted)):
            for record in batches[number].records():
                if number in broken or record.offset in odd:
                    self._one(record, into)
                elif record.offset in wanted:
                    records[record.offset] = record
        into.doubtful += (
            Arrival(records[offset], place, fields)
            for offset, place, fields in zip(
                rows["offset"].tolist(), rows["place"].tolist(), columns.fields(rows), strict=True
            )
        )
        into.doubtful.sort(key=lambda arrival: (arrival.record.offset, arrival.place))

    def _one(self, record: Record, into: Decoded) -> None:
        """Read a record with the reference codec."""
        try:
            events = self._envelopes.unpack(record.value)
        except SchemaError as error:
            into.refused.append((record, error))
        else:
            into.doubtful += (Arrival(record, place, fields) for place, fields in enumerate(events))


def _slices(batches: Iterable[RawBatch]) -> Iterator[tuple[list[RawBatch], list[Piece]]]:
    """Cut batches into lists of about ``_SLICE_BYTES``: what is decoded at once is held at once."""
    some: list[RawBatch] = []
    pieces: list[Piece] = []
    size = 0
    for batch in batches:
        payload = batch.payload()
        some.append(batch)
        pieces.append(Piece(payload, batch.count, batch.base, batch.first, batch.end))
        size += len(payload)
        if size >= _SLICE_BYTES:
            yield some, pieces
            some, pieces, size = [], [], 0
    if some:
        yield some, pieces
