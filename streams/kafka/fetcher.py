"""
A fetcher of record batches that uses aiokafka's client and its Fetch requests, not a protocol of its own.

aiokafka's client finds the leaders, keeps the connections and speaks the protocol; only the loop of Fetch
requests is here. A consumer of aiokafka or librdkafka makes an object of each record, which takes about 2 µs:
more than all that the journal does with a usage event. Here a batch stays one piece of bytes. aiokafka is
pinned, because its client and its requests are not its public interface.

Membership stays with the consumer group's client; this fetches the partitions that it was assigned. Reads are
read committed.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

import structlog
from aiokafka import errors
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.structs import TopicPartition

from streams.kafka.record_batches import RawBatch, committed_batches

__all__ = ["EARLIEST", "RecordBatchFetcher"]

log = structlog.get_logger(__name__)
T = TypeVar("T")

EARLIEST = -2
"""The protocol's offset for the first record that is still there."""

_READ_COMMITTED = 1
_METADATA_PAUSE_SECONDS = 0.1


class _Fetched(NamedTuple):
    """What one leader answered, by (topic, partition): ``ends`` are the ends of what is committed."""

    batches: list[RawBatch]
    next_offsets: dict[tuple[str, int], int]
    ends: dict[tuple[str, int], int]


class RecordBatchFetcher:
    """
    Reads the assigned partitions batch by batch.

    Memory is bounded by two fetches of at most ``max_bytes`` each, one in use and one under way (a broker may
    exceed a fetch by one batch). ``behind`` says that the last fetch left something for the next.
    """

    def __init__(self, bootstrap: str, *, max_bytes: int = 16_000_000, max_wait_ms: int = 200) -> None:
        self.behind = False
        self._max_bytes, self._max_wait_ms = max_bytes, max_wait_ms
        self._positions: dict[tuple[str, int], int] = {}
        self._ends: dict[tuple[str, int], int] = {}
        self._assignment = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fetch", daemon=True)
        self._thread.start()
        self._next_fetch: Future[list[RawBatch]] | None = None
        self._client = self._run(self._connect(bootstrap))

    def assign(self, starts: Mapping[tuple[str, int], int]) -> None:
        """Read these (topic, partition) from these offsets, or from ``EARLIEST``, and no others."""
        self._assignment += 1
        self._positions = dict(starts)
        self._ends = {}
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
        self.behind = any(self._positions[partition] < end for partition, end in self._ends.items())
        self._next_fetch = self._start_fetch() if self.behind else None
        return batches

    def close(self) -> None:
        """Close the connections and end the thread."""
        self._positions = {}
        self._run(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    @staticmethod
    async def _connect(bootstrap: str) -> AIOKafkaClient:
        client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=30_000)
        await client.bootstrap()
        return client

    async def _load_metadata(self, topics: set[str]) -> None:
        await self._client.set_topics(topics)

    async def _refresh_metadata(self) -> None:
        await asyncio.sleep(_METADATA_PAUSE_SECONDS)
        await self._client.force_metadata_update()

    def _start_fetch(self) -> Future[list[RawBatch]]:
        return asyncio.run_coroutine_threadsafe(self._fetch(self._assignment), self._loop)

    async def _fetch(self, assignment: int) -> list[RawBatch]:
        by_leader: dict[int, dict[str, list[tuple[int, int, int]]]] = defaultdict(lambda: defaultdict(list))
        for (topic, partition), offset in self._positions.items():
            leader = self._client.cluster.leader_for_partition(TopicPartition(topic, partition))
            if leader is None or leader == -1:
                await self._refresh_metadata()
                return []
            try:
                first = await self._earliest(leader, topic, partition) if offset == EARLIEST else offset
            except errors.KafkaError:
                await self._refresh_metadata()
                return []
            by_leader[leader][topic].append((partition, first, self._max_bytes // 2))
        batches: list[RawBatch] = []
        requests = (self._fetch_from(leader, topics) for leader, topics in by_leader.items())
        for fetched in await asyncio.gather(*requests):
            # What was fetched for an earlier assignment is dropped.
            if assignment == self._assignment:
                batches += fetched.batches
                self._positions |= fetched.next_offsets
                self._ends |= fetched.ends
        return batches if assignment == self._assignment else []

    async def _fetch_from(self, leader: int, topics: dict[str, list[tuple[int, int, int]]]) -> _Fetched:
        """Send a leader one Fetch request; ``topics`` holds (partition, offset, most bytes) by topic."""
        request = FetchRequest(self._max_wait_ms, 1, self._max_bytes, _READ_COMMITTED, list(topics.items()))
        fetched = _Fetched([], {}, {})
        try:
            answer = await self._client.send(leader, request)
        except errors.KafkaError as error:
            log.warning("Kafka is away.", leader=leader, error=str(error) or repr(error))
            await self._refresh_metadata()
            return fetched
        offsets = {(topic, p): offset for topic, parts in topics.items() for p, offset, _ in parts}
        for topic, partitions in answer.topics:
            for partition, code, _, *rest in partitions:
                first = offsets[topic, partition]
                if code:
                    fetched.next_offsets[topic, partition] = await self._after_refusal(
                        code, leader, topic, partition, first
                    )
                    continue
                # v4: lso, aborted, records; from v5: lso, log start, aborted[, preferred replica], records
                fetched.ends[topic, partition] = rest[0]
                aborted = rest[1] if answer.API_VERSION == 4 else rest[2]
                batches, fetched.next_offsets[topic, partition] = committed_batches(
                    topic, partition, rest[-1] or b"", first, aborted or []
                )
                fetched.batches.extend(batches)
        return fetched

    async def _after_refusal(self, code: int, leader: int, topic: str, partition: int, offset: int) -> int:
        """Return the offset to fetch next after the broker answered a fetch at *offset* with an error."""
        kind = errors.for_code(code)
        if kind is errors.OffsetOutOfRangeError:
            earliest = await self._earliest(leader, topic, partition)
            log.error(
                "Records were deleted before they were read.",
                topic=topic,
                partition=partition,
                offset=offset,
                earliest=earliest,
            )
            return earliest
        log.warning(
            "Kafka refused a fetch; it is sent again.", topic=topic, partition=partition, error=kind.__name__
        )
        await self._refresh_metadata()
        return offset

    async def _earliest(self, leader: int, topic: str, partition: int) -> int:
        answer = await self._client.send(
            leader, OffsetRequest(-1, _READ_COMMITTED, [(topic, [(partition, EARLIEST)])])
        )
        [(_, [(_, code, *rest)])] = answer.topics
        if code:
            raise errors.for_code(code)(f"{topic}/{partition}: no earliest offset")
        return int(rest[-1])
