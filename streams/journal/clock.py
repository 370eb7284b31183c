"""
The clock of a journal partition: the host's, as long as it agrees with that of the broker.

Journal time can't go back, so a batch written while a host's clock is wrong would make every later event too
late, or too early. The broker says in the answer to each write when it took the record; between two answers
the host's monotonic clock goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from schemas.times import iso
from streams.journal import metrics

__all__ = ["JournalClock"]

log = structlog.get_logger(__name__)

_ASK_AGAIN_SECONDS = 5.0
"""While the clocks disagree, the broker is asked for its time so often."""


class JournalClock:
    """
    The wall clock of one partition's host, checked against the broker's.

    ``ask`` returns the broker's time, UTC milliseconds, or ``None`` where its topic keeps the producer's
    times: then the host's clock is taken as it is. ``tolerance_ms`` is how far the two may be apart, and
    ``fault`` says why the host's clock can't be used now, an empty string where it can.
    """

    def __init__(self, partition: int, tolerance_ms: int, ask: Callable[[], int | None]) -> None:
        self.fault = ""
        self._partition = partition
        self._tolerance_ms = tolerance_ms
        self._ask = ask
        self._asked_at: float | None = None
        self._broker_time: int | None = None
        self._told_at = 0.0

    def tell(self, broker_time: int | None) -> None:
        """Take the broker's time of a write just now; ``None``: it didn't say."""
        if broker_time is not None:
            self._broker_time, self._told_at = broker_time, time.monotonic()
            self._set_fault(time.time_ns() // 1_000_000)

    def wall_time(self) -> int | None:
        """Return the host's time, UTC milliseconds; ``None`` while ``fault`` holds."""
        if self._asked_at is None:
            self._ask_broker()
        wall_time = time.time_ns() // 1_000_000
        if self._far_off(wall_time):
            # The monotonic clock stands still while a host is suspended: only the broker knows.
            if self._asked_at is None or time.monotonic() - self._asked_at >= _ASK_AGAIN_SECONDS:
                self._ask_broker()
                wall_time = time.time_ns() // 1_000_000
            self._set_fault(wall_time)
            return None if self.fault else wall_time
        if self.fault:
            self._set_fault(wall_time)
        return wall_time

    def _ask_broker(self) -> None:
        self._asked_at = time.monotonic()
        self.tell(self._ask())

    def _skew_ms(self, wall_time: int) -> int:
        """Return by how much the host's clock is ahead of the broker's."""
        if self._broker_time is None:
            return 0
        return wall_time - self._broker_time - round((time.monotonic() - self._told_at) * 1000)

    def _far_off(self, wall_time: int) -> bool:
        return abs(self._skew_ms(wall_time)) > self._tolerance_ms

    def _set_fault(self, wall_time: int) -> None:
        skew = self._skew_ms(wall_time)
        metrics.CLOCK_SKEW.labels(partition=self._partition).set(skew / 1000)
        if not self._far_off(wall_time):
            if self.fault:
                log.info("Clocks agree again; the journal goes on.", partition=self._partition)
            self.fault = ""
            return
        if not self.fault:
            log.error(
                "Nothing written: this host's clock and the broker's disagree. Set the clock that is wrong.",
                partition=self._partition,
                host=iso(wall_time),
                broker=iso(wall_time - skew),
            )
        self.fault = (
            f"this host's clock says {iso(wall_time)}, Kafka's broker {iso(wall_time - skew)}: "
            "set the clock that is wrong; until then nothing is written"
        )
