"""
Faust's store of the accounts table, restored and written by the worker itself.

Faust declares the table, keeps it co-partitioned with the journal and reports assignments. Restoring is ours:
after ``on_rebalance`` every owned partition is fenced and read to its end, and ``persisted_offset`` says so,
so that Faust's own recovery, which reads record by record, finds nothing to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from faust.stores import memory
from faust.types import TP

from processors.state.position import Position
from schemas.connection import Connection
from streams.kafka.log_position import LogPosition, Part
from streams.kafka.log_reader import end_offsets
from streams.worker import metrics
from streams.worker.partition import PartitionState

__all__ = ["AccountStore"]

_RESTORE_THREADS = 4


class AccountStore(memory.Store[bytes, bytes]):
    """The state of each owned partition, by number; ``data``, which Faust would fill, stays empty."""

    partitions: dict[int, PartitionState]

    def open(
        self,
        connection: Connection,
        changelog: str,
        restore: Callable[[int], PartitionState],
        on_owned: Callable[[Mapping[int, Position]], None],
    ) -> None:
        """
        Give the store its brokers, its changelog topic and the way to take a partition over.

        After every rebalance ``on_owned`` is called with the positions of the partitions owned from then on.
        """
        self.partitions = {}
        self._connection = connection
        self._changelog = changelog
        self._restore = restore
        self._on_owned = on_owned
        self._last_offsets: dict[int, int] = {}
        self._pool = ThreadPoolExecutor(max_workers=_RESTORE_THREADS, thread_name_prefix="restore")

    async def on_rebalance(
        self,
        assigned: set[TP],
        revoked: set[TP],  # noqa: ARG002 - Faust's signature
        newly_assigned: set[TP],
        generation_id: int = 0,  # noqa: ARG002
    ) -> None:
        """Drop the partitions that are assigned no more, restore the new ones, and keep the others."""
        owned = {tp.partition for tp in assigned if tp.topic == self._changelog}
        new = {tp.partition for tp in newly_assigned if tp.topic == self._changelog}
        for partition in set(self.partitions) - (owned - new):
            del self.partitions[partition]
            metrics.ACCOUNTS.remove(partition)
        new |= owned - set(self.partitions)
        metrics.PARTITIONS.set(len(owned))
        metrics.REBALANCES.inc()
        loop = asyncio.get_running_loop()
        restored = await asyncio.gather(
            *(loop.run_in_executor(self._pool, self._restore, partition) for partition in sorted(new))
        )
        self.partitions |= {state.number: state for state in restored}
        self._on_owned({number: state.position for number, state in self.partitions.items()})
        self._last_offsets = await loop.run_in_executor(self._pool, self._changelog_ends, sorted(owned))

    def log_positions(self) -> dict[Part, LogPosition]:
        """Return what to inspect: the positions of the owned partitions in all their logs."""
        states = list(self.partitions.values())
        return {part: at for state in states for part, at in state.logs.positions(state.position).items()}

    async def take_over_again(self, partition: int) -> PartitionState | None:
        """Fence and restore a partition anew whose producer has expired; ``None`` when it was revoked."""
        loop = asyncio.get_running_loop()
        state = await loop.run_in_executor(self._pool, self._restore, partition)
        if partition not in self.partitions:
            return None
        self.partitions[partition] = state
        return state

    def persisted_offset(self, tp: TP) -> int | None:
        """Return the last changelog offset that memory holds: for everything owned, the changelog's end."""
        return self._last_offsets.get(tp.partition)

    def _changelog_ends(self, partitions: list[int]) -> dict[int, int]:
        ends = end_offsets(self._connection, self._changelog, partitions)
        return {partition: end - 1 for partition, end in ends.items()}
