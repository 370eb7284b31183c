"""Status of one sink: its readiness conditions, metrics and log."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

import structlog

from schemas.records import AccountKpis
from sinks.port import Output
from streams.delivery import metrics
from streams.kafka.log_faults import FaultKind, LogFault, count_fault
from streams.runtime.health import Health
from streams.runtime.latency import EVENT_LATENCY

__all__ = ["SinkStatus"]

_TOLD_SECONDS = 60.0
"""How long readiness tells of a topic's fault that delivery has dealt with."""

_MOVES: Mapping[FaultKind, str] = {
    "made_anew": "read from its beginning; `bellbuoy recover outputs` publishes again what it lacks",
    "head_gone": "read on from there; `bellbuoy recover outputs` publishes again what was deleted",
    "tail_gone": "read on from there; `bellbuoy recover outputs` publishes again what it lacks",
}


class SinkStatus:
    """
    Reports of one sink to the supervisor, to Prometheus and to the log.

    The readiness conditions are ``<sink>``, the sink takes batches, ``<sink> joined``, this member has
    partitions of its group, and ``<sink> logs``, its topics are the logs that it was filled from.
    """

    def __init__(self, sink: str, group: str, health: Health) -> None:
        self.log = structlog.get_logger(__name__).bind(sink=sink)
        self._sink, self._group, self._health = sink, group, health
        self._fault_at: float | None = None
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

    def failed(self, error: Exception, *, ready: bool = False) -> None:
        """Report a failed attempt that will be repeated; the sink may be ``ready`` for other records."""
        metrics.ERRORS.labels(self._sink).inc()
        if not ready:
            self.not_ready(str(error))
        self.log.warning("The sink can't take the batch; it is offered again.", error=str(error))

    def waiting(self, records: int) -> None:
        """Report how many records wait for their next attempt, or for one before them."""
        metrics.WAITING.labels(self._sink).set(records)

    def retried(self) -> None:
        """Count an attempt that is made again."""
        metrics.RETRIES.labels(self._sink).inc()

    def sent_dead_letter(self, reason: str) -> None:
        """Count a record that became a dead letter."""
        metrics.DEAD_LETTERS.labels(self._sink, reason).inc()

    def reads_on(self, fault: LogFault, topic: str) -> None:
        """Report a fault of a topic (named without prefix) that is read on from ``fault.resume``."""
        count_fault(fault, topic)
        move = _MOVES[fault.kind]
        self.log.error(
            "Output topic is not the log that was delivered: it is read on from where it has what is new.",
            topic=fault.topic,
            partition=fault.partition,
            fault=fault.kind,
            position=fault.position.offset,
            resume=fault.resume.offset,
            lost=fault.lost,
            action=move,
        )
        self._fault_at = time.monotonic()
        self._health.set_condition(f"{self._sink} logs", False, f"{fault.sentence}: {move}")

    def logs_hold(self) -> None:
        """Report that the topics are the logs that the sink was filled from; a fault is told for a minute."""
        if self._fault_at is not None and time.monotonic() - self._fault_at > _TOLD_SECONDS:
            self._fault_at = None
            self._health.set_condition(f"{self._sink} logs", True)

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
