"""
Records that a sink of files or snapshots gathers as Arrow tables, and the positions that they reach to.

What was written since the last positions is kept apart, because no position covers it yet.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

import pyarrow as pa

from sinks.columns import TABLES, table
from sinks.port import Output, Rejected, version

__all__ = ["GatheredTables"]

_YEAR_10000 = 253_402_300_800_000


class GatheredTables:
    """
    Gathered records of one sink: until there are ``most_records``, or for ``most_seconds``.

    ``reached`` are the positions after all that is gathered.
    """

    def __init__(self, most_records: int, most_seconds: float) -> None:
        self._most_records, self._most_seconds = most_records, most_seconds
        self.forget()

    def forget(self) -> None:
        """Drop everything: it is delivered again."""
        self._written: list[tuple[type[Output], pa.Table]] = []
        self._gathered: dict[type[Output], list[pa.Table]] = defaultdict(list)
        self._count = 0
        self._since: float | None = None
        self.reached: dict[str, int] = {}

    def add(self, batch: Sequence[Output]) -> None:
        """Add records that no position covers yet; raise Rejected for one that no table can hold."""
        for index, record in enumerate(batch):
            at = version(record)[0]
            if not 0 <= at < _YEAR_10000:
                raise Rejected(index, f"its journal time {at} is not between 1970 and 9999")
        tables = {}
        for kind in TABLES:
            records = [record for record in batch if type(record) is kind]
            if records:
                try:
                    tables[kind] = table(kind, records)
                except (pa.ArrowException, OverflowError):
                    raise _rejected(batch) from None
        self._since = self._since or time.monotonic()
        self._written += tables.items()
        self._count += len(batch)

    def cover(self, positions: Mapping[str, int]) -> None:
        """Note the positions after what was added."""
        for kind, rows in self._written:
            self._gathered[kind].append(rows)
        self._written = []
        if positions:  # also of records that were passed over: the position moves all the same
            self._since = self._since or time.monotonic()
        self.reached.update(positions)

    @property
    def due(self) -> bool:
        """Whether there is enough to be written, or it waited for long enough."""
        waited = time.monotonic() - self._since if self._since else 0.0
        return self._count >= self._most_records or waited >= self._most_seconds

    def wrote(self, kind: type[Output]) -> None:
        """Drop the records of one type that the positions cover: they are written."""
        self._gathered.pop(kind, None)

    def tables(self) -> dict[type[Output], pa.Table]:
        """Return what the positions cover, by record type."""
        return {kind: pa.concat_tables(tables) for kind, tables in self._gathered.items()}


def _rejected(batch: Sequence[Output]) -> Rejected:
    """Return the verdict on the first record that no table can hold."""
    for index, record in enumerate(batch):
        try:
            table(type(record), [record])
        except (pa.ArrowException, OverflowError) as error:
            return Rejected(index, str(error))
    raise AssertionError("each record of the batch can be written alone")
