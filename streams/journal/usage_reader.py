"""
A reader of usage records, of one event or of many, that decodes in columns wherever it can.

A record that the columnar decoder can't read (``schemas.columnar.usage_decoder``) is read alone with the
reference codec, so a bad record costs nothing but itself.
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
from schemas.columnar.usage_decoder import BatchRecords, UsageColumns, UsageDecoder
from streams.kafka.record import KafkaRecord
from streams.kafka.record_batches import RawBatch

__all__ = ["DecodedEvent", "DecodedUsage", "UsageReader"]

_SLICE_BYTES = 8_000_000
"""Payload that is decoded, and so held in memory, at once."""


class DecodedEvent(NamedTuple):
    """One event: the record that it came in, its index in the envelope there (0 without one), its fields."""

    record: KafkaRecord
    event_index: int
    fields: dict[str, Any]


@dataclass(slots=True)
class DecodedUsage:
    """
    Decoded usage events, each part in the order of the log.

    ``events`` (``processors.intake.columnar_admission.USAGE``) surely may enter the journal, ``doubtful`` are
    those that ``admit`` must judge; ``refused`` are the records that can't be decoded.
    """

    events: NDArray[Any]
    doubtful: list[DecodedEvent] = field(default_factory=list)
    refused: list[tuple[KafkaRecord, SchemaError]] = field(default_factory=list)


class UsageReader:
    """Decodes the usage records of one partition."""

    def __init__(self, registry: Registry, limits: Admission, partition: int, partitions: int) -> None:
        self._columns = UsageDecoder(registry, secrets.randbits(64))
        self._envelopes = Envelopes(registry)
        self._limits, self._partition, self._partitions = limits, partition, partitions

    def read(self, batches: Iterable[RawBatch], names: Names, now: int) -> Iterator[DecodedUsage]:
        """
        Yield what these batches hold, some megabytes at a time; *now* is the journal's time.

        Accounts and features are numbered among *names*.
        """
        for slice_, payloads in _slices(batches):
            columns = self._columns.read(payloads)
            events, sure = admissible(columns, names, now, self._limits, self._partition, self._partitions)
            decoded = DecodedUsage(events)
            if not sure.all() or len(columns.odd) or len(columns.broken):
                self._read_others(slice_, columns, sure, decoded)
            yield decoded

    def _read_others(
        self, batches: list[RawBatch], columns: UsageColumns, sure: NDArray[np.bool_], into: DecodedUsage
    ) -> None:
        """Read all events that are not surely admissible, each with the record that it came in."""
        rows = columns.rows[~sure]
        broken = set(columns.broken.tolist())
        odd = set(columns.odd.tolist())
        wanted = odd.union(rows["offset"].tolist())
        firsts = [batch.first for batch in batches]
        records: dict[int, KafkaRecord] = {}
        for number in sorted(broken.union(bisect_right(firsts, offset) - 1 for offset in wanted)):
            for record in batches[number].records():
                if number in broken or record.offset in odd:
                    self._read_record(record, into)
                elif record.offset in wanted:
                    records[record.offset] = record
        into.doubtful += (
            DecodedEvent(records[offset], index, fields)
            for offset, index, fields in zip(
                rows["offset"].tolist(), rows["index"].tolist(), columns.fields(rows), strict=True
            )
        )
        into.doubtful.sort(key=lambda event: (event.record.offset, event.event_index))

    def _read_record(self, record: KafkaRecord, into: DecodedUsage) -> None:
        """Read one record with the reference codec."""
        try:
            events = self._envelopes.unpack(record.value)
        except SchemaError as error:
            into.refused.append((record, error))
        else:
            into.doubtful += (DecodedEvent(record, index, fields) for index, fields in enumerate(events))


def _slices(batches: Iterable[RawBatch]) -> Iterator[tuple[list[RawBatch], list[BatchRecords]]]:
    """Cut batches into slices of about ``_SLICE_BYTES`` of payload."""
    slice_: list[RawBatch] = []
    payloads: list[BatchRecords] = []
    size = 0
    for batch in batches:
        payload = batch.payload()
        slice_.append(batch)
        payloads.append(BatchRecords(payload, batch.count, batch.base, batch.first, batch.end))
        size += len(payload)
        if size >= _SLICE_BYTES:
            yield slice_, payloads
            slice_, payloads, size = [], [], 0
    if slice_:
        yield slice_, payloads
