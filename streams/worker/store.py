"""
Faust's store for the accounts table.

Faust declares the table, keeps it co-partitioned and tells of assignments; restoring is ours. After
``on_rebalance`` every owned partition is fenced and read to its end, and ``persisted_offset`` says so,
so that Faust's own recovery, which reads record by record, finds nothing to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from faust.stores import memory
from faust.types import TP

from processors.state.position import Position
from streams.kafka.clients import ends
from streams.worker import metrics
from streams.worker.partition import PartitionState

__all__ = ["AccountStore"]


class AccountStore(memory.Store[bytes, bytes]):
    """Hold the owned partitions; ``data``, which Faust would fill, stays empty."""

    holdings: dict[int, PartitionState]

    def open(
        self,
        bootstrap: str,
        changelog: str,
        take: Callable[[int], PartitionState],
        owned: Callable[[Mapping[int, Position]], None],
    ) -> None:
        """
        Give the store its broker, its changelog topic and the way to take a partition over.

        ``owned`` hears after every rebalance where the partitions stand that are owned now.
        """
        self.holdings = {}
        self._bootstrap = bootstrap
        self._changelog = changelog
        self._take = take
        self._owned = owned
        self._ends: dict[int, int] = {}
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="restore")

    async def on_rebalance(
        self,
        assigned: set[TP],
        revoked: set[TP],  # noqa: ARG002 - Faust's signature
        newly_assigned: set[TP],
        generation_id: int = 0,  # noqa: ARG002
    ) -> None:
        """Drop what is gone, take over what is new, keep the rest as it is."""
        held = {tp.partition for tp in assigned if tp.topic == self._changelog}
        new = {tp.partition for tp in newly_assigned if tp.topic == self._changelog}
        for partition in set(self.holdings) - (held - new):
            del self.holdings[partition]
            metrics.ACCOUNTS.remove(partition)
        new |= held - set(self.holdings)
        metrics.PARTITIONS.set(len(held))
        metrics.REBALANCES.inc()
        loop = asyncio.get_running_loop()
        taken = await asyncio.gather(
            *(loop.run_in_executor(self._pool, self._take, partition) for partition in sorted(new))
        )
        self.holdings |= {holding.partition: holding for holding in taken}
        self._owned({number: holding.position for number, holding in self.holdings.items()})
        self._ends = await loop.run_in_executor(self._pool, self._changelog_ends, sorted(held))

    def persisted_offset(self, tp: TP) -> int | None:
        """Return the last changelog offset that memory holds: the end, for everything owned."""
        return self._ends.get(tp.partition)

    def _changelog_ends(self, partitions: list[int]) -> dict[int, int]:
        found = ends(self._bootstrap, self._changelog, partitions)
        return {partition: end - 1 for partition, end in found.items()}
