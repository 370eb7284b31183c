"""
Attempts of a sink that takes one record at a time: which record is tried next, and which ones wait.

A record that the sink can't take now waits, and those behind it pass:

* of one thread, such as an alert at one recipient, the first one must be done before the next is tried;
* an address at which an attempt failed gets none for a while, each time twice as long, until one succeeds;
* a record that fails although its address takes others is at fault itself, and waits longer and longer.

Nothing of this outlives the process. What is committed is the offset of the oldest record that is not done,
so the next owner of the partition reads from there; what was done meanwhile the sink knows (``Once``).

    offsets      10        11        12        13        14
                 failed    done      waits     done      read next
                 ▲ committed         of the thread of 10
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sinks.port import DeliveryOrder, Output
from streams.kafka.log_position import LogPosition, Part
from streams.kafka.record import KafkaRecord

__all__ = ["MAX_WAITING", "MAX_WAITING_BYTES", "AttemptQueue", "WaitingRecord"]

MAX_WAITING = 1_000
"""Records of one sink that wait; while there are so many, no further one is read."""

MAX_WAITING_BYTES = 16_000_000
"""Bytes of the records of one sink that wait, the same limit by their size."""

_PAUSE_SECONDS = 30.0
"""Longest pause of an address after an attempt that failed soon."""

_PAUSES_FOR_TIME = 10.0
"""Longest pause of an address as a multiple of the time that its failed attempt took."""

_RECORD_SECONDS = 900.0
"""Longest wait of a record that fails although its address takes others."""

_MAX_DOUBLINGS = 16


@dataclass(slots=True)
class WaitingRecord:
    """A record that is not done: as read, its place in the log, and how its attempts went so far."""

    source: KafkaRecord
    output: Output
    position: LogPosition
    order: DeliveryOrder
    number: int = 0
    attempts: int = 0
    own_failures: int = 0
    due: float = 0.0

    @property
    def part(self) -> Part:
        """Topic and partition of the record."""
        return self.source.topic, self.source.partition


@dataclass(slots=True)
class _Pause:
    failures: int
    until: float


class AttemptQueue:
    """
    Records of one sink on their way, in the order in which they were read.

    ``first_seconds`` is the pause after a first failure. Times are those of one clock, in seconds.
    """

    def __init__(self, first_seconds: float) -> None:
        self._first_seconds = first_seconds
        self.clear()

    def clear(self) -> None:
        """Forget everything: what is not done will be read again."""
        self._threads: dict[str, deque[WaitingRecord]] = {}
        self._pauses: dict[str, _Pause] = {}
        self._waiting: dict[Part, dict[int, LogPosition]] = {}
        self._read: dict[Part, LogPosition] = {}
        self._bytes = self._count = self._number = 0
        self._retry_from = 0.0
        self._taking: set[str] = set()

    def __len__(self) -> int:
        return self._count

    @property
    def full(self) -> bool:
        """Whether no further record may be added until one is done."""
        return self._count >= MAX_WAITING or self._bytes >= MAX_WAITING_BYTES

    @property
    def takes_some(self) -> bool:
        """Whether an address takes records: of all that were tried, the last attempt succeeded at one."""
        return bool(self._taking)

    def read(self, reached: Iterable[tuple[Part, LogPosition]]) -> None:
        """Note up to where partitions were read; every record before was added, or needs no delivery."""
        self._read.update(reached)

    def add(self, record: WaitingRecord) -> None:
        """Put a record behind all others."""
        self._number += 1
        record.number = self._number
        self._threads.setdefault(record.order.thread, deque()).append(record)
        self._waiting.setdefault(record.part, {})[record.source.offset] = record.position
        self._count += 1
        self._bytes += record.source.nbytes

    def fresh(self, now: float) -> WaitingRecord | None:
        """Return the first record that was not tried yet and may be now."""
        return min(self._open(now, lambda record: not record.attempts), key=_number, default=None)

    def retry(self, now: float) -> WaitingRecord | None:
        """Return the record that is to be tried again now, of several the one that was tried least."""
        if now < self._retry_from:
            return None
        due = self._open(now, lambda record: record.attempts > 0 and record.due <= now)
        return min(due, key=lambda record: (record.attempts, record.number), default=None)

    def ready(self, now: float) -> bool:
        """Return whether a record may be tried now."""
        return bool(self._count) and (self.fresh(now) or self.retry(now)) is not None

    def done(self, record: WaitingRecord, *, taken: bool) -> None:
        """Remove a record that was ``taken``, or given up."""
        thread = self._threads[record.order.thread]
        thread.popleft()
        if not thread:
            del self._threads[record.order.thread]
        del self._waiting[record.part][record.source.offset]
        self._count -= 1
        self._bytes -= record.source.nbytes
        if taken:
            self._pauses.pop(record.order.address, None)
            self._taking.add(record.order.address)

    def failed(self, record: WaitingRecord, began: float, now: float, retry_after: float | None) -> None:
        """Note an attempt that failed, from when to when, and how long the sink asks to wait."""
        address, took = record.order.address, now - began
        if record.attempts:  # tried again in vain, it leaves as much time to the others
            self._retry_from = now + took
        record.attempts += 1
        self._taking.discard(address)
        before = self._pauses.get(address)
        if before is None:
            record.own_failures += 1
            record.due = now + self._pause(record.own_failures, _RECORD_SECONDS)
        else:
            record.due = now
        failures = 1 if before is None else before.failures + 1
        pause = self._pause(failures, max(_PAUSE_SECONDS, _PAUSES_FOR_TIME * took))
        self._pauses[address] = _Pause(failures, now + max(pause, retry_after or 0.0))

    def positions(self) -> dict[Part, LogPosition]:
        """Return the position to go on from in each partition: of the oldest record that is not done."""
        return {part: next(iter(self._waiting.get(part, {}).values()), at) for part, at in self._read.items()}

    def undone(self, part: Part) -> LogPosition | None:
        """Return a position that is as far behind the end as there are records not done or not read."""
        at = self._read.get(part)
        return None if at is None else at._replace(offset=at.offset - len(self._waiting.get(part, {})))

    def _open(self, now: float, wanted: Callable[[WaitingRecord], bool]) -> Iterator[WaitingRecord]:
        for thread in self._threads.values():
            record = thread[0]
            pause = self._pauses.get(record.order.address)
            if (pause is None or pause.until <= now) and wanted(record):
                yield record

    def _pause(self, failures: int, longest: float) -> float:
        return min(self._first_seconds * 2.0 ** min(failures - 1, _MAX_DOUBLINGS), longest)


def _number(record: WaitingRecord) -> int:
    return record.number
