"""Delivery to a sink that takes one record at a time, in which one that fails lets the others pass."""

from __future__ import annotations

import time
from collections.abc import Iterator

from confluent_kafka import Message

from sinks.port import SinkError
from streams.delivery.attempts import AttemptQueue, WaitingRecord
from streams.delivery.batch import OutputBatch
from streams.delivery.member import GroupMember
from streams.delivery.status import SinkStatus
from streams.delivery.writer import SinkWriter
from streams.kafka.log_position import LogPosition, Part

__all__ = ["RecordDelivery"]

_WAIT_SECONDS = 0.1


class RecordDelivery:
    """Takes records of a group member, and writes each of them when its turn has come."""

    def __init__(self, writer: SinkWriter, status: SinkStatus, first_seconds: float) -> None:
        self._writer, self._status = writer, status
        self._queue = AttemptQueue(first_seconds)
        self._moved_to: dict[Part, LogPosition] = {}

    def forget(self) -> None:
        """Forget the records that are not done: they are read again, here or by another member."""
        self._queue.clear()
        self._moved_to = {}
        self._status.waiting(0)

    def take(self, member: GroupMember) -> list[Message]:
        """Return the next message, if there is one and room for it; wait a moment where nothing is to do."""
        wait = 0.0 if self._queue.ready(time.monotonic()) else _WAIT_SECONDS
        if self._queue.full:
            member.pause()
            member.poll_idle(wait)
            return []
        member.resume()
        return member.take(1, wait)

    def add(self, batch: OutputBatch) -> None:
        """Put the records of a batch behind the others; those that the sink does not take are done."""
        for output, source in zip(batch.outputs, batch.sources, strict=True):
            order = self._writer.order(output)
            if order is not None:
                at = batch.reached[source.topic, source.partition]._replace(offset=source.offset)
                self._queue.add(WaitingRecord(source, output, at, order))
        self._queue.read(batch.reached.items())

    def attempts(self) -> Iterator[None]:
        """Write a record that was not tried yet, and one that is tried again; yield after each attempt."""
        for choose in (self._queue.fresh, self._queue.retry):
            record = choose(time.monotonic())
            if record is not None:
                self._attempt(record)
                yield

    def moved(self) -> dict[Part, LogPosition]:
        """Return the position to commit in each partition where it is another one than when last asked."""
        positions = self._queue.positions()
        moved = {part: at for part, at in positions.items() if self._moved_to.get(part) != at}
        self._moved_to = positions
        return moved

    def lag_positions(self, written: dict[Part, LogPosition]) -> dict[Part, LogPosition]:
        """Return positions that are as far behind the ends as there are records that are not done."""
        return {part: self._queue.undone(part) or at for part, at in written.items()}

    def _attempt(self, record: WaitingRecord) -> None:
        batch = OutputBatch([record.output], [record.source])
        if record.attempts:
            self._status.retried()
        began = time.monotonic()
        try:
            self._writer.write(batch)
        except SinkError as error:
            self._queue.failed(record, began, time.monotonic(), error.retry_after)
            self._status.failed(error, ready=self._queue.takes_some)
        else:
            self._queue.done(record, taken=bool(batch.outputs))
        self._status.waiting(len(self._queue))
