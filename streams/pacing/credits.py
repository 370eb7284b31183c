"""
A scheduler of credits, the back-pressure from a worker to its journal partitions.

A credit is the sequence number of a journal batch: after it the partition may write its next batch. A
partition without one gathers events. A busy worker grants credits to its partitions one after the other,
when little work waits for it, judging by what their last batches took. So events wait where they can still be
added to a batch and scored together, and not in batches that wait for one another.
"""

from __future__ import annotations

from collections import Counter

__all__ = ["CreditScheduler"]

_WORK_AHEAD_SECONDS = 0.03
"""Work that may wait or be expected: with less the worker would run dry, with more batches would queue."""

_EXPECTED_SECONDS = 0.2
"""A batch is expected this long after its credit; a partition that sends none by then has no events."""


class CreditScheduler:
    """Credits of one worker's partitions; *now* is a time in seconds on any clock that never goes back."""

    def __init__(self) -> None:
        self._waiting: Counter[int] = Counter()
        self._batch_seconds: dict[int, float] = {}
        # The batch applied last of each partition that has no credit for the next, the longest waiting first.
        self._uncredited: dict[int, int] = {}
        self._credits: dict[int, int] = {}
        # When each credit was granted whose batch is still expected.
        self._credited_at: dict[int, float] = {}

    def batch_arrived(self, partition: int) -> None:
        """Count a batch that waits for the worker from now on."""
        self._waiting[partition] += 1
        self._credited_at.pop(partition, None)

    def batches_done(self, partition: int, batches: int) -> None:
        """Discount batches that wait no more, applied or given up."""
        self._waiting[partition] -= batches

    def applied(self, partition: int, sequence: int, seconds: float) -> None:
        """
        Note the batch of a partition that was applied last, and the seconds of work that it took.

        The partition's next credit comes after those of partitions that applied a batch before.
        """
        self._uncredited.pop(partition, None)
        self._uncredited[partition] = sequence
        self._batch_seconds[partition] = seconds

    def drop(self, partition: int) -> None:
        """Forget a partition that another worker owns now; its waiting batches are still to be done."""
        self._batch_seconds.pop(partition, None)
        self._uncredited.pop(partition, None)
        self._credits.pop(partition, None)
        self._credited_at.pop(partition, None)

    def granted(self, now: float) -> dict[int, int]:
        """Grant the credits that are due, and return the newest credit of each partition that has one."""
        while self._uncredited and self._work_seconds(now) < _WORK_AHEAD_SECONDS:
            partition = next(iter(self._uncredited))
            self._credits[partition] = self._uncredited.pop(partition)
            self._credited_at[partition] = now
        return self._credits

    def _work_seconds(self, now: float) -> float:
        """Return the seconds of work that wait here or are expected."""
        self._credited_at = {
            partition: at for partition, at in self._credited_at.items() if now - at < _EXPECTED_SECONDS
        }
        waiting = sum(
            batches * self._batch_seconds.get(partition, 0.0) for partition, batches in self._waiting.items()
        )
        return waiting + sum(self._batch_seconds.get(partition, 0.0) for partition in self._credited_at)
