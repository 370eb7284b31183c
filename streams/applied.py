"""
How far the worker has applied the journal: told by the worker, asked for by the journal.

It is kept as committed offsets of a consumer group without members, ``<app>-applied``, each with the
batch's sequence number as its metadata. Nothing exact hangs on it: the journal paces itself by it, and lag
tools show what really waits, since Faust's own committed offsets run ahead of the state.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from processors.state import Position
from schemas.topics import Topics

__all__ = ["AppliedAsker", "AppliedTeller"]

log = structlog.get_logger(__name__)

_EVERY_SECONDS = 0.1
_TIMEOUT = 5.0


class _Periodic:
    """A thread that does one thing every tenth of a second; trouble is logged once, until it passes."""

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
        while not self._stopping.wait(_EVERY_SECONDS):
            try:
                self._turn()
            except KafkaException as error:
                if not self._troubled:
                    log.warning("How far the worker is can't be told.", error=error.args[0].str())
                self._troubled = True
            else:
                self._troubled = False

    def _turn(self) -> None:
        raise NotImplementedError


class AppliedTeller(_Periodic):
    """The worker's side."""

    def __init__(self, bootstrap: str, topics: Topics) -> None:
        super().__init__(bootstrap, topics, "applied")
        self._news: dict[int, Position] = {}

    def tell(self, partition: int, position: Position) -> None:
        """Take note of a partition's newest position; returns at once."""
        self._news[partition] = position

    def _turn(self) -> None:
        news, self._news = self._news, {}
        if news:
            self._consumer.commit(
                offsets=[
                    TopicPartition(self._journal, number, at.offset + 1, metadata=str(at.sequence))
                    for number, at in news.items()
                ],
                asynchronous=False,
            )


class AppliedAsker(_Periodic):
    """The journal's side."""

    def __init__(self, bootstrap: str, topics: Topics) -> None:
        super().__init__(bootstrap, topics, "applied")
        self._wanted: frozenset[int] = frozenset()
        self._known: dict[int, int] = {}

    def watch(self, partitions: Iterable[int]) -> None:
        """Ask for these partitions from now on."""
        self._wanted = frozenset(partitions)

    def sequence(self, partition: int) -> int:
        """Return the batch last known to be applied; -1 when none is."""
        return self._known.get(partition, -1)

    def _turn(self) -> None:
        if not self._wanted:
            return
        asked = [TopicPartition(self._journal, number) for number in self._wanted]
        for found in self._consumer.committed(asked, timeout=_TIMEOUT):
            if found.metadata:
                self._known[found.partition] = int(found.metadata)
