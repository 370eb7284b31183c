"""
How far the worker has applied the journal: told by the worker, asked for by the journal.

It is kept as committed offsets of a consumer group without members, ``<app>-applied``. Their metadata is the
sequence number of the batch after which the partition's journal may go on, which is the last one applied or,
while others wait for the worker, one before it (``streams/pacing/credits.py``). Nothing exact hangs on it:
the journal paces itself by it, and lag tools show what really waits, since Faust's own committed offsets run
ahead of the state.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from processors.state.position import Position
from schemas.topics import Topics
from streams.pacing.credits import CreditScheduler

__all__ = ["ProgressReporter", "ProgressWatcher"]

log = structlog.get_logger(__name__)

_EVERY_SECONDS = 0.01
_SELDOM_SECONDS = 0.1
_TIMEOUT = 5.0


class _Thread:
    """A thread that does one thing when there is a reason to; trouble is logged once, until it passes."""

    def __init__(self, bootstrap: str, topics: Topics, name: str) -> None:
        self._journal = topics.name("account.journal")
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"{topics.app_id}-applied",
                "enable.auto.commit": False,
                "log_level": 2,
            }
        )
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._troubled = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End the thread and the connection; harmless when not started."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(2 * _TIMEOUT)
        self._consumer.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._changed:
                due = self._changed.wait_for(self._due, _SELDOM_SECONDS)
            if not due:
                continue
            try:
                pause = self._do(due)
            except KafkaException as error:
                if not self._troubled:
                    log.warning("How far the worker is can't be told.", error=error.args[0].str())
                self._troubled, pause = True, _SELDOM_SECONDS
            else:
                self._troubled = False
            self._stopping.wait(pause)

    def _due(self) -> list[TopicPartition]:
        """Return what is to be told, or what is to be asked for."""
        raise NotImplementedError

    def _do(self, due: list[TopicPartition]) -> float:
        """Tell it, or ask for it, and return the seconds to pause then."""
        raise NotImplementedError


class ProgressReporter(_Thread):
    """The worker's side."""

    def __init__(self, bootstrap: str, topics: Topics) -> None:
        super().__init__(bootstrap, topics, "applied")
        self._turns = CreditScheduler()
        self._positions: dict[int, Position] = {}
        self._told: dict[int, tuple[int, str | None]] = {}

    def own(self, positions: Mapping[int, Position]) -> None:
        """Speak for these partitions, given where they stand, and for no others."""
        with self._changed:
            for partition in self._positions.keys() - positions.keys():
                del self._positions[partition]
                self._told.pop(partition, None)
                self._turns.forget(partition)
            for partition in positions.keys() - self._positions.keys():
                self._positions[partition] = positions[partition]
                self._turns.applied(partition, positions[partition].sequence, 0.0)
            self._changed.notify()

    def came(self, partition: int) -> None:
        """Take note of a batch that waits for the worker."""
        with self._changed:
            self._turns.came(partition)

    def went(self, partition: int, batches: int) -> None:
        """Take note of batches that wait no more."""
        with self._changed:
            self._turns.went(partition, batches)
            self._changed.notify()

    def tell(self, partition: int, position: Position, seconds: float) -> None:
        """
        Take note of the newest position of a partition, and of the work that its last batch was.

        Of one that was taken away it is passed over.
        """
        with self._changed:
            if partition in self._positions:
                self._turns.applied(partition, position.sequence, seconds)
                self._positions[partition] = position

    def _due(self) -> list[TopicPartition]:
        on = self._turns.on(time.monotonic())
        standing = (
            TopicPartition(self._journal, number, at.offset + 1, metadata=str(on.get(number, -1)))
            for number, at in self._positions.items()
            if at.sequence >= 0
        )
        return [one for one in standing if self._told.get(one.partition) != (one.offset, one.metadata)]

    def _do(self, due: list[TopicPartition]) -> float:
        self._consumer.commit(offsets=due, asynchronous=False)
        self._told |= {one.partition: (one.offset, one.metadata) for one in due}
        return _EVERY_SECONDS


class ProgressWatcher(_Thread):
    """The journal's side."""

    def __init__(self, bootstrap: str, topics: Topics) -> None:
        super().__init__(bootstrap, topics, "applied")
        self._awaited: dict[int, int] = {}
        self._known: dict[int, int] = {}
        self._asked = 0.0

    def watch(self, partitions: Iterable[int]) -> None:
        """Ask for these partitions from now on."""
        with self._changed:
            self._awaited = dict.fromkeys(partitions, 0)
            self._changed.notify_all()

    def sequence(self, partition: int) -> int:
        """Return the batch after which a partition may go on, as far as known; -1 when there is none."""
        return self._known.get(partition, -1)

    def expect(self, partition: int, sequence: int) -> None:
        """Ask until the partition may go on after this batch."""
        with self._changed:
            self._awaited[partition] = sequence
            self._changed.notify_all()

    def wait(self, partition: int, sequence: int, seconds: float) -> bool:
        """Return whether a partition may go on after this batch: once it may, or after so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self.sequence(partition) >= sequence, seconds)

    def _due(self) -> list[TopicPartition]:
        return [
            TopicPartition(self._journal, number)
            for number, sequence in self._awaited.items()
            if self.sequence(number) < sequence
        ]

    def _do(self, due: list[TopicPartition]) -> float:
        found = self._consumer.committed(due, timeout=_TIMEOUT)
        with self._changed:
            news = {one.partition: int(one.metadata) for one in found if one.metadata}
            moved = any(self._known.get(number) != sequence for number, sequence in news.items())
            self._known |= news
            self._changed.notify_all()
            # A worker that stands still, or is away, need not be asked so often.
            self._asked = time.monotonic() if moved else self._asked
            return _EVERY_SECONDS if time.monotonic() - self._asked < 1 else _SELDOM_SECONDS
