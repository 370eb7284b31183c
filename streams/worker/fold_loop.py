"""The loop that folds one partition's journal batches into its state: in order, and each once."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Executor
from typing import Any

import faust
import structlog
from confluent_kafka import KafkaException
from faust.types import TP

from schemas.codec.record_codec import Codec
from schemas.records import JournalBatch
from streams.kafka.errors import NOT_DELIVERED, TOPIC_UNKNOWN, ProducerExpiredError
from streams.pacing.progress import ProgressReporter
from streams.worker import metrics
from streams.worker.outcome_report import OutcomeReport
from streams.worker.partition import PartitionState
from streams.worker.store import AccountStore

__all__ = ["FoldLoop"]

log = structlog.get_logger(__name__)

_QUEUE_BATCHES = 32
"""Batches that wait for one partition, beside 64 in Faust's buffer; beyond it fetching pauses."""

_MAX_FOLD_BYTES = 1_000_000
"""Size, as packed, up to which waiting batches are folded together and share a transaction."""

_IDLE_SECONDS = 1.0
"""How often a partition without batches looks whether anything else is to be written."""

_GONE_SECONDS = 3.0
"""How often it is asked whether a topic that was deleted is there again."""

_FIRST_SEEK_SECONDS, _LONGEST_SEEK_SECONDS = 1.0, 16.0
"""How long the batches from before a gap may take to come until they are read again: doubled each time."""


class FoldLoop:
    """
    Queue and consumer of one partition's batches.

    The state is looked up for every fold: the partition may have been revoked meanwhile.
    """

    def __init__(
        self,
        app: faust.App,
        tp: TP,
        store: AccountStore,
        codec: Codec[JournalBatch],
        pool: Executor,
        progress: ProgressReporter,
    ) -> None:
        self._app = app
        self._tp = tp
        self._store = store
        self._codec = codec
        self._pool = pool
        self._progress = progress
        self._queue: asyncio.Queue[Any] = asyncio.Queue(_QUEUE_BATCHES)
        self._report = OutcomeReport(tp.partition)
        self._sought_at: float | None = None
        self._received = -1
        self._seek_seconds = _FIRST_SEEK_SECONDS
        self._refused_at: int | None = None

    async def put(self, message: Any) -> None:
        """Queue a message of the journal; wait for room while the queue is full."""
        await self._queue.put(message)

    async def run(self) -> None:
        """Fold what is queued until cancelled; raise what the fold or its transaction raised."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                messages = [await asyncio.wait_for(self._queue.get(), _IDLE_SECONDS)]
            except TimeoutError:
                messages = []
            # Waiting batches are folded in one transaction, so that a partition that is behind catches up.
            while messages and not self._queue.empty() and _size(messages) < _MAX_FOLD_BYTES:
                messages.append(self._queue.get_nowait())
            state = self._store.partitions.get(self._tp.partition)
            try:
                if state is None:  # it was revoked, and the new owner reads these batches
                    self._sought_at = None
                elif messages:
                    await loop.run_in_executor(self._pool, self._fold, state, messages)
                elif state.producer.ends_due:
                    await loop.run_in_executor(self._pool, state.write_ends)
                elif self._sought_at is not None:  # what was sought was dropped, and nothing comes after it
                    position = state.position
                    await self._rewind(_Gap(position.offset + 1, position.sequence, self._received))
            except _Gap as gap:
                await self._rewind(gap)
            except ProducerExpiredError:
                log.warning(
                    "Transactional id expired; the partition is taken over again.",
                    partition=self._tp.partition,
                )
                await self._take_over_again()
            except Exception as error:
                missing = await self._topic_was_missing(state, error)
                if not self._owns(state):
                    log.info("Batch left to the partition's new owner.", partition=self._tp.partition)
                elif missing:
                    log.warning(
                        "Kafka refused a batch while a topic was missing; the partition is taken over again.",
                        partition=self._tp.partition,
                        error=str(error),
                    )
                    await self._take_over_again()
                else:
                    raise
            finally:
                self._progress.batches_done(self._tp.partition, len(messages))

    def _fold(self, state: PartitionState, messages: list[Any]) -> None:
        """
        Apply the batches that follow the state's position.

        An older one was read again after a restart and is in the state already. Raises _Gap when one is
        missing before the last, and LogChangedError when another has the sequence number of one applied.
        """
        began = time.thread_time()
        following_batches: list[tuple[int, JournalBatch]] = []
        next_sequence, beyond_gap = state.position.sequence + 1, None
        last_offset = state.position.offset
        for message in messages:
            if message.value is None:  # written for its transaction's end alone
                continue
            batch = self._codec.decode(message.value)
            if batch.sequence == next_sequence:
                following_batches.append((message.offset, batch))
                next_sequence, beyond_gap, last_offset = next_sequence + 1, None, message.offset
            elif batch.sequence < next_sequence and message.offset > last_offset:
                state.logs.stop_at_second(batch.sequence, message.offset)
            elif batch.sequence > next_sequence:
                beyond_gap = batch.sequence
        if following_batches:
            self._sought_at, self._seek_seconds = None, _FIRST_SEEK_SECONDS
            metrics.BATCHES.inc(len(following_batches))
            applied = state.position.applied
            for outcome in state.apply(following_batches):
                metrics.APPLIED.inc(state.position.applied - applied)
                applied = state.position.applied
                self._report.report(outcome, accounts=len(state.states))
                self._progress.applied(state.number, state.position, time.thread_time() - began)
        if beyond_gap is not None:
            raise _Gap(state.position.offset + 1, state.position.sequence, beyond_gap)

    def _owns(self, state: PartitionState | None) -> bool:
        return self._store.partitions.get(self._tp.partition) is state

    async def _topic_was_missing(self, state: PartitionState | None, error: Exception) -> bool:
        """
        Return whether a batch met this error because a topic that it writes to was missing.

        Returns once none is missing any more, or another process owns the partition. Where the topic is there
        again by now, the error may have had other reasons: it then counts once at each position. Raises
        LogChangedError when journal or changelog are not the ones that the states came from.
        """
        if state is None or not isinstance(error, KafkaException):
            return False
        told: list[str] = []
        while self._owns(state):
            missing = await asyncio.get_running_loop().run_in_executor(self._pool, state.missing_topics)
            if not missing:
                break
            if missing != told:
                log.error(
                    "Folding waits: topics that it writes to are missing.",
                    partition=self._tp.partition,
                    topics=missing,
                    action="run `bellbuoy topics create`",
                )
            told = missing
            await asyncio.sleep(_GONE_SECONDS)
        refused_before, self._refused_at = self._refused_at, state.position.sequence
        maybe = error.args[0].code() in TOPIC_UNKNOWN | {NOT_DELIVERED}
        return bool(told) or (maybe and refused_before != self._refused_at)

    async def _take_over_again(self) -> None:
        """Fence and restore the partition anew, and read on from its position."""
        if (renewed := await self._store.take_over_again(self._tp.partition)) is not None:
            self._sought_at, self._seek_seconds = None, _FIRST_SEEK_SECONDS
            await self._rewind(_Gap(renewed.position.offset + 1, renewed.position.sequence, -1))

    async def _rewind(self, gap: _Gap) -> None:
        """
        Read again from the state's position; batches from beyond the gap are skipped until then.

        Raises LogChangedError when that was done before, and the batches are not there.
        """
        if self._sought_at is not None:
            if time.monotonic() - self._sought_at < self._seek_seconds:
                return
            # Faust drops what it reads again when a batch that was on its way came after the seek.
            self._seek_seconds = min(2 * self._seek_seconds, _LONGEST_SEEK_SECONDS)
            if (state := self._store.partitions.get(self._tp.partition)) is not None:
                await asyncio.get_running_loop().run_in_executor(
                    self._pool, state.logs.require_next, state.position
                )
        self._sought_at, self._received = time.monotonic(), gap.received
        metrics.REWINDS.inc()
        log.info(
            "Journal read again from the state's position: batches are missing between the two.",
            topic=self._tp.topic,
            partition=self._tp.partition,
            offset=gap.offset,
            sequence=gap.sequence,
            received=gap.received,
        )
        await self._app.consumer.seek(self._tp, gap.offset)


def _size(messages: list[Any]) -> int:
    return sum(len(message.value or b"") for message in messages)


class _Gap(Exception):  # noqa: N818 - not an error: Faust's own offsets are advisory
    """The batch ``received`` came, but not the one after ``sequence``; ``offset`` is where to read it."""

    def __init__(self, offset: int, sequence: int, received: int) -> None:
        super().__init__(offset, sequence, received)
        self.offset, self.sequence, self.received = offset, sequence, received
