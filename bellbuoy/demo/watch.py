"""Follower of the update stream: counts the latencies of all updates and keeps the newest alerts."""

from __future__ import annotations

from collections import Counter, deque
from threading import Event, Thread

import structlog

from sinks.serving import Reader, ReadError, Update

__all__ = ["UpdateWatcher", "percentile"]

log = structlog.get_logger(__name__)

_UPDATES_PER_READ = 2_000
_BLOCK_MS = 200
_KEPT_ALERTS = 12


class UpdateWatcher:
    """
    Reads every update that is written after its creation, in a thread of its own.

    ``latencies`` counts updates by whole milliseconds from an event's arrival at the gateway to the serving
    sink, by the sink's clock; an update that no event caused, only the passing of time, has none. ``alerts``
    are the newest.
    """

    def __init__(self, reader: Reader) -> None:
        self.latencies: Counter[int] = Counter()
        self.alerts: deque[Update] = deque(maxlen=_KEPT_ALERTS)
        self.seen = 0
        self._reader = reader
        self._stopping = Event()
        self._after = "0"
        while updates := reader.updates(self._after, _UPDATES_PER_READ):
            self._after = updates[-1].id
        self._thread = Thread(target=self._follow, name="watch", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Read the stream to its end, then stop the thread."""
        self._stopping.set()
        self._thread.join()

    def _follow(self) -> None:
        while True:
            last = self._stopping.is_set()
            try:
                updates = self._reader.updates(self._after, _UPDATES_PER_READ, 0 if last else _BLOCK_MS)
            except ReadError as error:
                log.warning(
                    "The serving sink is away; the update stream is read again in a second.", error=str(error)
                )
                if last:
                    return
                self._stopping.wait(1.0)
                continue
            for update in updates:
                self._add(update)
            if last and not updates:
                return

    def _add(self, update: Update) -> None:
        self._after = update.id
        self.seen += 1
        if update.received_at is not None:
            self.latencies[max(0, update.written_at - update.received_at)] += 1
        if update.kind == "alert":
            self.alerts.append(update)


def percentile(counts: Counter[int], share: float) -> int | None:
    """Return the smallest value that at least this share of all counted values does not exceed."""
    total = counts.total()
    if not total:
        return None
    rank, below = share * total, 0
    for value in sorted(counts):
        below += counts[value]
        if below >= rank:
            return value
    return max(counts)
