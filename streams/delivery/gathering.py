"""Gatherer of batches, for a sink whose writes are costly and of which only the newest records count."""

from __future__ import annotations

import time

from schemas.records import AlertNotification, RiskAlert
from sinks.port import Gathering, Output, version
from streams.delivery.batch import OutputBatch

__all__ = ["BatchGatherer"]


class BatchGatherer:
    """
    Gatherer of one sink's batches: keeps the newest record of each key until they are due.

    What it holds is not written, so its offsets are not committed, and it is read again after a crash or by
    the next owner of its partitions.
    """

    def __init__(self, sink: Gathering) -> None:
        self._sink = sink
        self.clear()

    def clear(self) -> None:
        """Forget what was gathered: it will be read again."""
        self._batch = OutputBatch()
        self._places: dict[tuple[str, ...], int] = {}
        self._since: float | None = None

    def add(self, batch: OutputBatch) -> OutputBatch | None:
        """Gather a batch; return what was gathered once it is due."""
        if self._since is None and batch.reached:
            self._since = time.monotonic()
        for part, at in batch.reached.items():
            before = self._batch.reached.get(part)
            if before is None or at.epoch >= 0 or before.offset != at.offset:  # an end has no epoch
                self._batch.reached[part] = at
        for output, source in zip(batch.outputs, batch.sources, strict=True):
            place = self._places.setdefault(_key(output), len(self._places))
            if place == len(self._batch.outputs):
                self._batch.outputs.append(output)
                self._batch.sources.append(source)
            elif version(self._batch.outputs[place]) <= version(output):
                self._batch.outputs[place], self._batch.sources[place] = output, source
        return self._due()

    def _due(self) -> OutputBatch | None:
        if self._since is None:
            return None
        full = len(self._places) >= self._sink.gather_records
        if self._batch.outputs and not full and time.monotonic() - self._since < self._sink.gather_seconds:
            return None
        gathered = self._batch
        self.clear()
        return gathered


def _key(output: Output) -> tuple[str, ...]:
    if isinstance(output, AlertNotification):
        return type(output).__name__, output.tenant, output.notification_id
    its = output.alert_id if isinstance(output, RiskAlert) else output.account_id
    return type(output).__name__, output.tenant, its
