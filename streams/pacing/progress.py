"""
Clients that exchange the worker's progress with the journal: the worker reports it, the journal watches it.

Progress is kept as committed offsets of a consumer group without members, ``<app>-applied``. An offset's
metadata is the partition's credit (``streams/pacing/credits.py``): the sequence number of the batch after
which its journal may write the next one. That is the last batch applied or, while other partitions come
first, one before it. Nothing exact depends on progress: the journal paces itself by it, and lag tools show
what really waits, since Faust's own committed offsets run ahead of the state.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from processors.state.position import Position
from schemas.connection import Connection
from schemas.topics import Topics
from streams.pacing.credits import CreditScheduler

__all__ = ["ProgressReporter", "ProgressWatcher"]

log = structlog.get_logger(__name__)

_BUSY_PAUSE_SECONDS = 0.01
"""Between two requests while there is news."""
_IDLE_PAUSE_SECONDS = 0.1
"""Between two looks for something to request, and between requests that bring no news or fail."""
_NEWS_SECONDS = 1.0
"""A watcher asks often until it has had no news for this long."""
_TIMEOUT_SECONDS = 5.0


class _ProgressClient:
    """A thread that sends requests about the group's offsets; failures in a row are logged once."""

    def __init__(self, connection: Connection, topics: Topics) -> None:
        self._journal = topics.name("account.journal")
        self._consumer = Consumer(
            {
                **connection.librdkafka(),
                "group.id": f"{topics.app_id}-applied",
                "enable.auto.commit": False,
                "log_level": 2,
            }
        )
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread and the connection; harmless when the thread was not started."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(2 * _TIMEOUT_SECONDS)
        self._consumer.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._changed:
                pending = self._changed.wait_for(self._pending, _IDLE_PAUSE_SECONDS)
            if not pending:
                continue
            try:
                pause = self._request(pending)
            except KafkaException as error:
                if not self._failing:
                    log.warning(
                        "Progress not exchanged: the journal paces itself by time until Kafka answers.",
                        error=error.args[0].str(),
                    )
                self._failing, pause = True, _IDLE_PAUSE_SECONDS
            else:
                self._failing = False
            self._stopping.wait(pause)

    def _pending(self) -> list[TopicPartition]:
        """Return the offsets to send a request about, if any."""
        raise NotImplementedError

    def _request(self, pending: list[TopicPartition]) -> float:
        """Send the request, and return the seconds to pause after it; raise KafkaException."""
        raise NotImplementedError


class ProgressReporter(_ProgressClient):
    """The worker's client: commits the position and the credit of each owned partition when they change."""

    def __init__(self, connection: Connection, topics: Topics) -> None:
        super().__init__(connection, topics)
        self._credits = CreditScheduler()
        self._positions: dict[int, Position] = {}
        self._reported: dict[int, tuple[int, str | None]] = {}

    def own(self, positions: Mapping[int, Position]) -> None:
        """Report these partitions from now on, beginning at their positions, and no others."""
        with self._changed:
            for partition in self._positions.keys() - positions.keys():
                del self._positions[partition]
                self._reported.pop(partition, None)
                self._credits.drop(partition)
            for partition in positions.keys() - self._positions.keys():
                self._positions[partition] = positions[partition]
                self._credits.applied(partition, positions[partition].sequence, 0.0)
            self._changed.notify()

    def batch_arrived(self, partition: int) -> None:
        """Count a batch that waits for the worker from now on."""
        with self._changed:
            self._credits.batch_arrived(partition)

    def batches_done(self, partition: int, batches: int) -> None:
        """Discount batches that wait no more, applied or given up."""
        with self._changed:
            self._credits.batches_done(partition, batches)
            self._changed.notify()

    def applied(self, partition: int, position: Position, seconds: float) -> None:
        """
        Take the newest position of a partition, and the seconds of work that its last batch took.

        Progress of a partition that this worker no longer owns is ignored.
        """
        with self._changed:
            if partition in self._positions:
                self._credits.applied(partition, position.sequence, seconds)
                self._positions[partition] = position

    def _pending(self) -> list[TopicPartition]:
        credit = self._credits.granted(time.monotonic())
        offsets = (
            TopicPartition(self._journal, number, at.offset + 1, metadata=str(credit.get(number, -1)))
            for number, at in self._positions.items()
            if at.sequence >= 0
        )
        return [tp for tp in offsets if self._reported.get(tp.partition) != (tp.offset, tp.metadata)]

    def _request(self, pending: list[TopicPartition]) -> float:
        self._consumer.commit(offsets=pending, asynchronous=False)
        self._reported |= {tp.partition: (tp.offset, tp.metadata) for tp in pending}
        return _BUSY_PAUSE_SECONDS


class ProgressWatcher(_ProgressClient):
    """The journal's client: asks for the credits that its partitions wait for."""

    def __init__(self, connection: Connection, topics: Topics) -> None:
        super().__init__(connection, topics)
        self._awaited: dict[int, int] = {}
        self._credits: dict[int, int] = {}
        self._news_at = 0.0

    def watch(self, partitions: Iterable[int]) -> None:
        """Ask for the credits of these partitions from now on, and of no others."""
        with self._changed:
            self._awaited = dict.fromkeys(partitions, 0)
            self._changed.notify_all()

    def credit(self, partition: int) -> int:
        """Return the newest credit of a partition that is known here; -1 when there is none."""
        return self._credits.get(partition, -1)

    def request(self, partition: int, sequence: int) -> None:
        """Ask for the credit of a partition until it has reached this batch."""
        with self._changed:
            self._awaited[partition] = sequence
            self._changed.notify_all()

    def wait(self, partition: int, sequence: int, seconds: float) -> bool:
        """Wait up to so many seconds for a credit that reaches this batch; return whether there is one."""
        with self._changed:
            return self._changed.wait_for(lambda: self.credit(partition) >= sequence, seconds)

    def _pending(self) -> list[TopicPartition]:
        return [
            TopicPartition(self._journal, number)
            for number, sequence in self._awaited.items()
            if self.credit(number) < sequence
        ]

    def _request(self, pending: list[TopicPartition]) -> float:
        committed = self._consumer.committed(pending, timeout=_TIMEOUT_SECONDS)
        with self._changed:
            received = {tp.partition: int(tp.metadata) for tp in committed if tp.metadata}
            news = any(self._credits.get(number) != sequence for number, sequence in received.items())
            self._credits |= received
            self._changed.notify_all()
            # A worker that makes no progress, or is away, need not be asked so often.
            self._news_at = time.monotonic() if news else self._news_at
            asked_often = time.monotonic() - self._news_at < _NEWS_SECONDS
            return _BUSY_PAUSE_SECONDS if asked_often else _IDLE_PAUSE_SECONDS
