"""
A fetcher of record batches that uses aiokafka's client and its Fetch requests, not a protocol of its own.

aiokafka's client finds the leaders, keeps the connections and speaks the protocol; only the loop of Fetch
requests is here. A consumer of aiokafka or librdkafka makes an object of each record, which takes about 2 µs:
more than all that the journal does with a usage event. Here a batch stays one piece of bytes. aiokafka is
pinned, because its client and its requests are not its public interface.

Membership stays with the consumer group's client; this fetches the partitions that it was assigned. Reads are
read committed. As KIP-320 asks of a consumer, it reads beyond a change of leader only where the new leader's
log has all that was read from the old one's.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import structlog
from aiokafka import errors
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.structs import TopicPartition

from schemas.connection import Connection
from streams.kafka.aiokafka_connection import aiokafka_options
from streams.kafka.leader_epochs import epoch_ends
from streams.kafka.log_position import Part
from streams.kafka.open_transaction import OpenTransaction
from streams.kafka.record_batches import RawBatch, committed_batches

__all__ = ["EARLIEST", "RecordBatchFetcher"]

log = structlog.get_logger(__name__)
T = TypeVar("T")

EARLIEST = -2
"""The protocol's offset for the first record that is still there."""

_READ_COMMITTED = 1
_METADATA_PAUSE_SECONDS = 0.1
_LEADERLESS_SECONDS = 1.0
"""How often a partition without leader is asked for while others are read."""


class _Fetched(NamedTuple):
    """
    What one leader answered, by (topic, partition).

    ``ends`` are the ends of what is committed, ``highs`` those of all that is there, ``epochs`` those of the
    last batches, and ``doubtful`` the partitions of another log than the one that was read before.
    """

    batches: list[RawBatch]
    next_offsets: dict[Part, int]
    ends: dict[Part, int]
    highs: dict[Part, int]
    epochs: dict[Part, int]
    doubtful: set[Part]


class RecordBatchFetcher:
    """
    Reads the assigned partitions batch by batch.

    Memory is bounded by two fetches of at most ``max_bytes`` each, one in use and one under way (a broker may
    exceed a fetch by one batch). ``behind`` says that the last fetch left something for the next.

    ``in_doubt`` are the partitions whose log is not the one that was read before, or is gone; they are not
    read until they are assigned again. With ``checked`` false there are none: such a partition is
    read from its beginning.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        max_bytes: int = 16_000_000,
        max_wait_ms: int = 200,
        checked: bool = True,
    ) -> None:
        self.behind = False
        self.in_doubt: set[Part] = set()
        self._checked = checked
        self._max_bytes, self._max_wait_ms = max_bytes, max_wait_ms
        self._positions: dict[Part, int] = {}
        self._epochs: dict[Part, int] = {}
        self._ends: dict[Part, int] = {}
        self._open: dict[Part, tuple[int, int, float]] = {}
        self._refreshed_at = 0.0
        self._assignment = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fetch", daemon=True)
        self._thread.start()
        self._next_fetch: Future[list[RawBatch]] | None = None
        self._client = self._run(self._connect(connection))

    def assign(self, starts: Mapping[Part, int], epochs: Mapping[Part, int] = MappingProxyType({})) -> None:
        """
        Read these (topic, partition) from these offsets, or from ``EARLIEST``, and no others.

        ``epochs`` are the leader epochs of what stands before the offsets, -1 where they are not known.
        """
        self._assignment += 1
        self._positions, self._epochs = dict(starts), dict(epochs)
        self._ends = {}
        self._open = {}
        self.in_doubt = set()
        self._next_fetch = None
        if starts:
            self._run(self._load_metadata({topic for topic, _ in starts}))

    def position(self, topic: str, partition: int) -> int:
        """Return the offset that the next fetch of a partition starts from."""
        return self._positions[topic, partition]

    def poll(self) -> list[RawBatch]:
        """Return the next batches, or [] when the broker had none within ``max_wait_ms``."""
        if not self._positions:
            return []
        batches = (self._next_fetch or self._start_fetch()).result()
        # Fetch ahead only under load: once caught up, a fetch started later brings all that came meanwhile.
        self.behind = any(
            self._positions[part] < end for part, end in self._ends.items() if part not in self.in_doubt
        )
        self._next_fetch = self._start_fetch() if self.behind else None
        return batches

    def open_transactions(self) -> dict[Part, OpenTransaction]:
        """Return the open transactions of others, as the last fetches found them."""
        now = time.monotonic()
        return {
            part: OpenTransaction(end, high - end, now - since)
            for part, (end, high, since) in self._open.copy().items()
        }

    def _note_open(self, fetched: _Fetched) -> None:
        """Remember since when the end of what is committed stands still before the end of all."""
        for part, end in fetched.ends.items():
            known, _, since = self._open.get(part, (-1, 0, 0.0))
            if end >= fetched.highs[part]:
                self._open.pop(part, None)
            else:
                self._open[part] = end, fetched.highs[part], since if known == end else time.monotonic()

    def close(self) -> None:
        """Close the connections and end the thread."""
        self._positions = {}
        self._run(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    @staticmethod
    async def _connect(connection: Connection) -> AIOKafkaClient:
        client = AIOKafkaClient(**aiokafka_options(connection), request_timeout_ms=30_000)
        await client.bootstrap()
        return client

    async def _load_metadata(self, topics: set[str]) -> None:
        await self._client.set_topics(topics)

    async def _refresh_metadata(self) -> None:
        await asyncio.sleep(_METADATA_PAUSE_SECONDS)
        self._refreshed_at = time.monotonic()
        await self._client.force_metadata_update()

    async def _await_leaders(self, leaderless: set[Part], *, others: bool) -> None:
        """Ask for the leaders of partitions; those of a topic that is gone are in doubt from then on."""
        if others and time.monotonic() - self._refreshed_at < _LEADERLESS_SECONDS:
            return
        await self._refresh_metadata()
        if self._checked:
            known = self._client.cluster.topics()
            gone = {part for part in leaderless if part[0] not in known}
            self.in_doubt = self.in_doubt | gone

    def _start_fetch(self) -> Future[list[RawBatch]]:
        return asyncio.run_coroutine_threadsafe(self._fetch(self._assignment), self._loop)

    async def _fetch(self, assignment: int) -> list[RawBatch]:
        by_leader: dict[int, dict[str, list[tuple[int, int, int]]]] = defaultdict(lambda: defaultdict(list))
        leaderless: set[Part] = set()
        for (topic, partition), offset in self._positions.items():
            if (topic, partition) in self.in_doubt:
                continue
            leader = self._client.cluster.leader_for_partition(TopicPartition(topic, partition))
            if leader is None or leader == -1:
                leaderless.add((topic, partition))
                continue
            try:
                first = await self._earliest(leader, topic, partition) if offset == EARLIEST else offset
            except errors.KafkaError:
                leaderless.add((topic, partition))
                continue
            by_leader[leader][topic].append((partition, first, self._max_bytes // 2))
        if leaderless:
            await self._await_leaders(leaderless, others=bool(by_leader))
        if not by_leader:
            await asyncio.sleep(self._max_wait_ms / 1000)
        batches: list[RawBatch] = []
        requests = (self._fetch_from(leader, topics) for leader, topics in by_leader.items())
        for fetched in await asyncio.gather(*requests):
            # What was fetched for an earlier assignment is dropped.
            if assignment == self._assignment:
                batches += fetched.batches
                self._positions |= fetched.next_offsets
                self._ends |= fetched.ends
                self._note_open(fetched)
                self._epochs |= fetched.epochs
                self.in_doubt = self.in_doubt | fetched.doubtful
        return batches if assignment == self._assignment else []

    async def _fetch_from(self, leader: int, topics: dict[str, list[tuple[int, int, int]]]) -> _Fetched:
        """Send a leader one Fetch request; ``topics`` holds (partition, offset, most bytes) by topic."""
        request = FetchRequest(self._max_wait_ms, 1, self._max_bytes, _READ_COMMITTED, list(topics.items()))
        fetched = _Fetched([], {}, {}, {}, {}, set())
        try:
            answer = await self._client.send(leader, request)
        except errors.KafkaError as error:
            log.warning("Kafka is away.", leader=leader, error=str(error) or repr(error))
            await self._refresh_metadata()
            return fetched
        offsets = {(topic, p): offset for topic, parts in topics.items() for p, offset, _ in parts}
        for topic, partitions in answer.topics:
            for partition, code, high, *rest in partitions:
                part, first = (topic, partition), offsets[topic, partition]
                if code:
                    await self._take_refusal(errors.for_code(code), leader, part, fetched)
                    continue
                # v4: lso, aborted, records; from v5: lso, log start, aborted[, preferred replica], records
                fetched.ends[part], fetched.highs[part] = rest[0], high
                aborted = rest[1] if answer.API_VERSION == 4 else rest[2]
                batches, next_offset, epoch = committed_batches(
                    topic, partition, rest[-1] or b"", first, aborted or []
                )
                if self._checked and not await self._follows(part, first, epoch, fetched):
                    continue
                fetched.next_offsets[part] = next_offset
                if epoch >= 0:
                    fetched.epochs[part] = epoch
                fetched.batches.extend(batches)
        return fetched

    async def _follows(self, part: Part, first: int, epoch: int, fetched: _Fetched) -> bool:
        """Return whether batches up to this epoch, fetched from *first* on, follow what was read before."""
        known = self._epochs.get(part, -1)
        if not epoch > known >= 0:
            return True
        try:
            answers = await epoch_ends(self._client, {part: known})
        except errors.KafkaError:
            return False  # asked again with the next fetch
        if part in answers and answers[part][1] < first:
            fetched.doubtful.add(part)
        return part in answers and part not in fetched.doubtful

    async def _take_refusal(
        self, kind: type[errors.KafkaError], leader: int, part: Part, fetched: _Fetched
    ) -> None:
        """Take the broker's error in answer to the fetch of a partition."""
        if kind is errors.OffsetOutOfRangeError:
            if self._checked:
                fetched.doubtful.add(part)
            else:
                fetched.next_offsets[part] = await self._earliest(leader, *part)
            return
        log.warning(
            "Kafka refused a fetch; it is sent again.", topic=part[0], partition=part[1], error=kind.__name__
        )
        await self._refresh_metadata()

    async def _earliest(self, leader: int, topic: str, partition: int) -> int:
        answer = await self._client.send(
            leader, OffsetRequest(-1, _READ_COMMITTED, [(topic, [(partition, EARLIEST)])])
        )
        [(_, [(_, code, *rest)])] = answer.topics
        if code:
            raise errors.for_code(code)(f"{topic}/{partition}: no earliest offset")
        return int(rest[-1])
