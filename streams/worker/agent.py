"""The Faust agent: journal batches of a partition, in order, once each, into the account table."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import faust
import structlog
from faust.types import TP

from processors.fold.outcome import Outcome
from processors.silent_sources import silent_feeds
from schemas.codec.record_codec import Codec
from schemas.records import JournalBatch
from streams.pacing.progress import ProgressReporter
from streams.worker import metrics
from streams.worker.partition import PartitionState
from streams.worker.store import AccountStore

__all__ = ["LANE_BATCHES", "bind_accounts"]

log = structlog.get_logger(__name__)

LANE_BATCHES = 32
"""Batches that may wait for one partition; when full, the agent waits and Faust stops fetching."""

_TOGETHER_BYTES = 1_000_000
"""Waiting batches are folded together up to this size, as packed."""

_SEEK_AGAIN_SECONDS = 10.0


def bind_accounts(
    app: faust.App,
    journal: Any,
    store: AccountStore,
    codec: Codec[JournalBatch],
    applied: ProgressReporter,
    fail: Callable[[BaseException], None],
) -> None:
    """
    Bind the agent to the journal topic.

    Each partition has its own lane, so partitions fold and commit side by side. ``applied`` hears what waits
    and how far each one has come. ``fail`` is called with whatever a lane raises and must end the process:
    Faust would take the failed event as done.
    """
    lanes: dict[int, asyncio.Queue[Any]] = {}
    pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="fold")

    @app.agent(journal, name="accounts")
    async def accounts(stream: Any) -> None:
        async for event in stream.events():
            partition = event.message.partition
            if partition not in lanes:
                lanes[partition] = asyncio.Queue(LANE_BATCHES)
                tp = TP(event.message.topic, partition)
                lane = _PartitionLane(app, store, codec, tp, lanes[partition], pool, applied)
                app.add_future(_guard(lane.run(), fail))
            applied.came(partition)
            await lanes[partition].put(event.message)


async def _guard(work: Any, fail: Any) -> None:
    try:
        await work
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - nothing may be swallowed; the process ends
        fail(error)


class _PartitionLane:
    def __init__(
        self,
        app: faust.App,
        store: AccountStore,
        codec: Codec[JournalBatch],
        tp: TP,
        queue: asyncio.Queue[Any],
        pool: ThreadPoolExecutor,
        applied: ProgressReporter,
    ) -> None:
        self._app = app
        self._store = store
        self._codec = codec
        self._tp = tp
        self._queue = queue
        self._pool = pool
        self._applied = applied
        self._sought = 0.0
        self._silent: set[tuple[str, str]] = set()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            messages = [await self._queue.get()]
            # What waits is folded together in one transaction, so a lane that is behind catches up.
            while not self._queue.empty() and sum(len(m.value) for m in messages) < _TOGETHER_BYTES:
                messages.append(self._queue.get_nowait())
            holding = self._store.holdings.get(self._tp.partition)
            try:
                if holding is not None:  # else revoked meanwhile: the new owner reads it from the journal
                    await loop.run_in_executor(self._pool, self._apply, holding, messages)
            except _Gap as gap:
                await self._rewind(gap)
            except Exception:
                if self._store.holdings.get(self._tp.partition) is holding:
                    raise
                log.info("Batch left to the partition's new owner.", partition=self._tp.partition)
            finally:
                self._applied.went(self._tp.partition, len(messages))

    def _apply(self, holding: PartitionState, messages: list[Any]) -> None:
        began = time.thread_time()
        fresh: list[tuple[int, JournalBatch]] = []
        following, beyond = holding.position.sequence + 1, None
        for message in messages:
            batch = self._codec.decode(message.value)
            if batch.sequence == following:
                fresh.append((message.offset, batch))
                following, beyond = following + 1, None
            elif batch.sequence > following:
                beyond = batch.sequence
            # An older one was read again after a restart: it is in the state.
        if fresh:
            self._sought = 0.0
            metrics.BATCHES.inc(len(fresh))
            metrics.APPLIED.inc(sum(cell.events for _, batch in fresh for cell in batch.usage))
            for outcome in holding.apply(fresh):
                self._count(outcome, holding)
                self._applied.tell(holding.partition, holding.position, time.thread_time() - began)
        if beyond is not None:
            raise _Gap(holding.position.offset + 1, beyond, holding.position.sequence)

    def _count(self, outcome: Outcome, holding: PartitionState) -> None:
        self._tell_silent(outcome, holding.partition)
        metrics.SCORED.inc(len(outcome.health))
        metrics.TRANSFERS.inc(len(outcome.transfers))
        metrics.ACCOUNTS.labels(partition=holding.partition).set(len(holding.states))
        for _, alert in outcome.alerts:
            metrics.ALERTS.labels(rule=alert.rule, change=alert.change).inc()

    def _tell_silent(self, outcome: Outcome, partition: int) -> None:
        now = outcome.position.written_at
        found = {(feed.tenant, feed.topic): feed.last_at for feed in silent_feeds(outcome.shared.feeds, now)}
        for tenant, topic in found.keys() - self._silent:
            metrics.SILENT.labels(tenant=tenant, topic=topic, partition=partition).set(1)
            log.warning(
                "A source is silent for every account; what it informs is held, and nobody is alerted.",
                tenant=tenant,
                topic=topic,
                partition=partition,
                last_at=found[tenant, topic],
            )
        for tenant, topic in self._silent - found.keys():
            metrics.SILENT.remove(tenant, topic, partition)
            log.info("A silent source is heard again.", tenant=tenant, topic=topic, partition=partition)
        self._silent = set(found)

    async def _rewind(self, gap: _Gap) -> None:
        """Read again from where the state stands; batches from beyond the gap are passed over till then."""
        if self._sought and time.monotonic() - self._sought < _SEEK_AGAIN_SECONDS:
            return
        self._sought = time.monotonic()
        metrics.REWINDS.inc()
        log.info(
            "Journal read again from the state's position.",
            topic=self._tp.topic,
            partition=self._tp.partition,
            offset=gap.offset,
            sequence=gap.stands,
            came=gap.came,
        )
        await self._app.consumer.seek(self._tp, gap.offset)


class _Gap(Exception):  # noqa: N818 - not an error: Faust's own offsets are only advice
    def __init__(self, offset: int, came: int, stands: int) -> None:
        super().__init__(offset, came, stands)
        self.offset, self.came, self.stands = offset, came, stands
