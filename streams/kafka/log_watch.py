"""A watch on logs: a thread that compares positions with their logs every few seconds, or when woken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping

import structlog
from confluent_kafka import KafkaException

from streams.kafka.log_faults import LogFault
from streams.kafka.log_inspector import LogInspector
from streams.kafka.log_position import LogPosition, Part

__all__ = ["LogWatch"]

log = structlog.get_logger(__name__)

_SECONDS = 3.0
"""Time between two inspections."""


class LogWatch:
    """
    A watch on the logs of one role.

    ``read`` returns the positions up to which the role has read; ``written`` are partitions that it writes,
    of which the watch remembers the end. ``report`` is called after each inspection, in the watch's thread,
    with what was inspected and what is wrong; ``fail`` with whatever that raises, which ends the watch.
    """

    def __init__(
        self,
        bootstrap: str,
        partitions: int,
        read: Callable[[], Mapping[Part, LogPosition]],
        written: Callable[[], Collection[Part]],
        report: Callable[[Mapping[Part, LogPosition], list[LogFault]], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        self._inspector = LogInspector(bootstrap)
        self._partitions = partitions
        self._read, self._written = read, written
        self._report, self._fail = report, fail
        self._ends: dict[Part, LogPosition] = {}
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
                self._inspect()
            except KafkaException as error:  # whoever reads and writes says that Kafka is away
                log.debug("Logs not inspected.", error=error.args[0].str())
            except BaseException as error:  # noqa: BLE001 - the role raises it and ends
                self._fail(error)
                return
            self._woken.wait(_SECONDS)
            self._woken.clear()
            self._stopping.wait(0.1)  # whoever looks often into a log that is gone must not ask as often

    def _inspect(self) -> None:
        written = self._written()
        self._ends = {part: end for part, end in self._ends.items() if part in written}
        positions = dict(self._read()) | self._ends
        faults = self._inspector.faults(positions, self._partitions)
        self._report(positions, faults)
        if not faults:
            self._ends = self._inspector.ends(written)
