"""Writer of batches to one sink: single attempts, and the pauses between them."""

from __future__ import annotations

from sinks.port import DeliveryOrder, Gathering, Once, Output, Rejected, Sink, SinkError
from streams.delivery.batch import OutputBatch, SendDeadLetter
from streams.delivery.status import SinkStatus

__all__ = ["Backoff", "SinkWriter"]

_LONGEST_PAUSE_SECONDS = 30.0
"""Longest pause between two attempts to write a batch; the batch is offered until it is taken."""


class Backoff:
    """Pauses between attempts: each twice the last one, up to 30 s, and never shorter than the sink asks."""

    def __init__(self, first_seconds: float) -> None:
        self._seconds = first_seconds

    def pause(self, error: SinkError) -> float:
        """Return the seconds to wait after this error."""
        seconds = max(self._seconds, error.retry_after or 0.0)
        self._seconds = min(self._seconds * 2, _LONGEST_PAUSE_SECONDS)
        return seconds


class SinkWriter:
    """Writer of one sink; what the sink rejects becomes a dead letter."""

    def __init__(self, sink: Sink, status: SinkStatus, dead_letter: SendDeadLetter) -> None:
        self._sink, self._status, self._dead_letter = sink, status, dead_letter

    def open(self) -> None:
        """Open the sink; raise SinkError and SinkSettingsError."""
        self._sink.open()
        self._status.ready()

    def taken_over(self) -> None:
        """Let a sink that minds what other members wrote learn of it; raise SinkError."""
        if isinstance(self._sink, Once | Gathering):
            self._sink.taken_over()

    def order(self, output: Output) -> DeliveryOrder | None:
        """Return what a record keeps its order with, in a sink that must not write twice."""
        assert isinstance(self._sink, Once)
        return self._sink.order(output)

    def write(self, batch: OutputBatch) -> None:
        """Write the batch, without what the sink rejects, which is removed from it; raise SinkError."""
        while batch.outputs:
            try:
                with self._status.writing():
                    self._sink.write(batch.outputs)
            except Rejected as verdict:
                self._dead_letter(batch.remove(verdict.index), "invalid", f"{self._sink.name}: {verdict}")
            else:
                self._status.wrote(batch.outputs)
                return

    def close(self) -> None:
        """Close the sink."""
        self._sink.close()
