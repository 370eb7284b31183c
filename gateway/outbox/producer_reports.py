"""Reports of producers on their way to Kafka: what each sends and how it has changed, for who looks later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from gateway.drift.watch import DriftWatch
from gateway.outbox.port import Outbox, OutboxFullError, OutboxUnavailableError, OutgoingRecord
from schemas.producer_reports import ProducerReport, encode_report, report_key
from schemas.times import MINUTE
from schemas.topics import PRODUCERS_TOPIC, Topics

__all__ = ["ProducerReports"]

log = structlog.get_logger(__name__)

_SECONDS = 5.0
_AGAIN_MS = MINUTE
"""After so long a producer's new counts are written; what is new about it is written at once."""


class ProducerReports:
    """
    Writes what the watch knows of each producer to ``producer.reports``, every five seconds.

    ``gateway`` names this process; a restart under the same name takes over its reports. ``clock`` returns
    UTC milliseconds. While Kafka takes no report, the gateway goes on, and tries again.
    """

    def __init__(
        self, outbox: Outbox, topics: Topics, watch: DriftWatch, gateway: str, clock: Callable[[], int]
    ) -> None:
        self._outbox, self._topic = outbox, topics.name(PRODUCERS_TOPIC)
        self._watch, self._gateway, self._clock = watch, gateway, clock
        self._written: dict[bytes, tuple[ProducerReport, int]] = {}
        self._refused = False

    async def run(self) -> None:
        """Write reports until the task is cancelled."""
        while True:
            await asyncio.sleep(_SECONDS)
            await self.write()

    async def write(self) -> None:
        """Write the reports that say something new."""
        now = self._clock()
        new = {
            report_key(report): report
            for report in self._watch.reports(self._gateway)
            if self._is_new(report, now)
        }
        records = [OutgoingRecord(self._topic, key, encode_report(one), 0) for key, one in new.items()]
        try:
            await self._outbox.send(records)
        except (OutboxFullError, OutboxUnavailableError) as error:
            if not self._refused:
                log.warning("Reports of producers could not be written.", error=str(error))
            self._refused = True
            return
        self._refused = False
        self._written |= {key: (report, now) for key, report in new.items()}

    def _is_new(self, report: ProducerReport, now: int) -> bool:
        written, at = self._written.get(report_key(report), (None, 0))
        if written is None or written.warnings != report.warnings:
            return True
        if {one.event for one in written.kinds} != {one.event for one in report.kinds}:
            return True
        return written.events != report.events and now - at >= _AGAIN_MS
