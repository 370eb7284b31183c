"""Status of one sink: its readiness conditions, metrics and log."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager

import structlog

from schemas.records import AccountKpis
from sinks.port import Output
from streams.delivery import metrics
from streams.runtime.health import Health
from streams.runtime.latency import EVENT_LATENCY

__all__ = ["SinkStatus"]


class SinkStatus:
    """
    Reports of one sink to the supervisor, to Prometheus and to the log.

    The readiness conditions are ``<sink>``, the sink takes batches, and ``<sink> joined``, this member has
    partitions of its group.
    """

    def __init__(self, sink: str, group: str, health: Health) -> None:
        self.log = structlog.get_logger(__name__).bind(sink=sink)
        self._sink, self._group, self._health = sink, group, health
        self.left()
        self.not_ready("not opened yet")

    def joined(self) -> None:
        """Report that this member has partitions."""
        self._health.set_condition(f"{self._sink} joined", True)

    def left(self) -> None:
        """Report that this member has no partitions."""
        self._health.set_condition(
            f"{self._sink} joined", False, f"waiting for partitions of group {self._group}"
        )

    def ready(self) -> None:
        """Report that the sink takes batches."""
        self._health.set_condition(self._sink, True)

    def not_ready(self, why: str) -> None:
        """Report that the sink takes no batches now."""
        self._health.set_condition(self._sink, False, why)

    def failed(self, error: Exception) -> None:
        """Report a failed attempt that will be repeated."""
        metrics.ERRORS.labels(self._sink).inc()
        self.not_ready(str(error))
        self.log.warning("The sink can't take the batch; it is offered again.", error=str(error))

    def retried(self) -> None:
        """Count an attempt that is made again."""
        metrics.RETRIES.labels(self._sink).inc()

    def sent_dead_letter(self, reason: str) -> None:
        """Count a record that became a dead letter."""
        metrics.DEAD_LETTERS.labels(self._sink, reason).inc()

    def writing(self) -> AbstractContextManager[object]:
        """Return a context that times one attempt to write."""
        return metrics.WRITE_SECONDS.labels(self._sink).time()

    def wrote(self, outputs: Sequence[Output]) -> None:
        """Report a written batch, and how old its events are."""
        self.ready()
        now = time.time()
        metrics.LAST_SUCCESS.labels(self._sink).set(now)
        metrics.BATCH.labels(self._sink).observe(len(outputs))
        latency = EVENT_LATENCY.labels(self._sink)
        for output in outputs:
            if not isinstance(output, AccountKpis) and output.received_at is not None:
                latency.observe(max(0.0, now - output.received_at / 1000))
