"""A watch on logs: a thread that compares positions with their logs every few seconds, or when woken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import structlog
from confluent_kafka import KafkaException

from schemas.connection import Connection
from streams.kafka.log_inspector import Inspection, LogInspector
from streams.kafka.log_position import LogPosition, Part

__all__ = ["LogWatch"]

log = structlog.get_logger(__name__)

_SECONDS = 3.0
"""Time between two inspections."""


class LogWatch:
    """
    A watch on the logs of one role.

    ``positions`` returns those to inspect: up to which the role has read, and where the logs that it writes
    ended at the last inspection. ``report`` is called after each inspection, in the watch's thread; ``fail``
    with whatever that raises, which ends the watch.
    """

    def __init__(
        self,
        connection: Connection,
        partitions: int,
        positions: Callable[[], Mapping[Part, LogPosition]],
        report: Callable[[Inspection], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        self.inspector = LogInspector(connection)
        self._partitions = partitions
        self._positions, self._report, self._fail = positions, report, fail
        self._woken, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-watch", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Inspect at once: something looks wrong."""
        self._woken.set()

    def close(self) -> None:
        """End the thread; harmless when it was not started."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(_SECONDS)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._report(self.inspector.inspect(self._positions(), self._partitions))
            except KafkaException as error:  # whoever reads and writes says that Kafka is away
                log.debug("Logs not inspected.", error=error.args[0].str())
            except BaseException as error:  # noqa: BLE001 - the role raises it and ends
                self._fail(error)
                return
            self._woken.wait(_SECONDS)
            self._woken.clear()
            self._stopping.wait(0.1)  # whoever looks often into a log that is gone must not ask as often
