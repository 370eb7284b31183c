"""
Fetch record batches as the broker stores them, without an object per record.

Membership stays with the consumer group's client; this reads what it was assigned. Protocol: Fetch
requests and record batch format v2 (https://kafka.apache.org/documentation/#recordbatch), spoken by
aiokafka's client; read committed, so records of aborted transactions and control batches are left out.
"""

from __future__ import annotations

import asyncio
import struct
import threading
from collections import defaultdict
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from aiokafka import codec as codecs
from aiokafka import errors
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.structs import TopicPartition

from streams.kafka.clients import Record

__all__ = ["BatchReader", "RawBatch", "split"]

log = structlog.get_logger(__name__)
T = TypeVar("T")

_HEADER = struct.Struct(">qiibIhiqqqhii")
_LENGTH_END = 12
_CODEC, _TRANSACTIONAL, _CONTROL = 0x07, 0x10, 0x20
_MAGIC = 2
_READ_COMMITTED = 1
_EARLIEST = -2
_DECODE = {
    1: codecs.gzip_decode,
    2: codecs.snappy_decode,
    3: codecs.lz4_decode,
    4: codecs.zstd_decode,
}


@dataclass(frozen=True, slots=True)
class RawBatch:
    """
    One record batch: ``raw`` as stored, header and all.

    Of its records, whose offsets count from ``base``, those in ``[first, end)`` are meant; a fetch from
    the middle of a batch brings it whole.
    """

    topic: str
    partition: int
    base: int
    first: int
    end: int
    count: int
    codec: int
    raw: bytes

    def payload(self) -> bytes:
        """Return the records' bytes, decompressed."""
        body = self.raw[_HEADER.size :]
        return bytes(_DECODE[self.codec](body)) if self.codec else body

    def records(self) -> Iterator[Record]:
        """Yield the records one by one, whatever they hold."""
        for record in DefaultRecordBatch(self.raw):
            if self.first <= record.offset < self.end:
                headers = [(name, value or b"") for name, value in record.headers]
                yield Record(self.topic, self.partition, record.offset, record.key, record.value, headers)


def split(
    topic: str, partition: int, data: bytes, first: int, aborted: list[tuple[int, int]]
) -> tuple[list[RawBatch], int]:
    """
    Return the committed batches in a fetched record set, and the offset to read next.

    ``aborted`` holds (producer id, first offset) of aborted transactions. A batch that the fetch cut off
    is left for the next one. Raises CorruptRecordException for a format older than v2.
    """
    batches: list[RawBatch] = []
    pending = sorted(aborted, key=lambda entry: entry[1])
    gone: set[int] = set()
    at, following = 0, first
    while at + _HEADER.size <= len(data):
        base, length, _, magic, _, attributes, last, _, _, producer, _, _, count = _HEADER.unpack_from(
            data, at
        )
        whole = at + _LENGTH_END + length
        if whole > len(data):
            break
        if magic != _MAGIC:
            raise errors.CorruptRecordException(f"{topic}/{partition}: record format v{magic}, expected v2")
        raw, at, end = data[at:whole], whole, base + last + 1
        while pending and pending[0][1] <= base:
            gone.add(pending.pop(0)[0])
        if attributes & _CONTROL:
            gone.discard(producer)  # an abort marker ends what it aborts; of a commit there is nothing to end
        elif end > first and not (attributes & _TRANSACTIONAL and producer in gone):
            batches.append(
                RawBatch(topic, partition, base, max(base, first), end, count, attributes & _CODEC, raw)
            )
        following = max(following, end)
    return batches, following


class BatchReader:
    """
    Read assigned partitions batch by batch; one fetch is always under way while the last is worked on.

    Memory is bounded by two fetches of at most ``max_bytes`` each (a broker may exceed it by one batch).
    ``behind`` says that the last one left something for the next.
    """

    def __init__(self, bootstrap: str, *, max_bytes: int = 16_000_000, max_wait_ms: int = 200) -> None:
        self.behind = False
        self._max_bytes, self._max_wait_ms = max_bytes, max_wait_ms
        self._positions: dict[tuple[str, int], int] = {}
        self._ends: dict[tuple[str, int], int] = {}
        self._generation = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fetch", daemon=True)
        self._thread.start()
        self._ahead: Future[list[RawBatch]] | None = None
        self._client = self._run(self._open(bootstrap))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    @staticmethod
    async def _open(bootstrap: str) -> AIOKafkaClient:
        client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=30_000)
        await client.bootstrap()
        return client

    def assign(self, starts: Mapping[tuple[str, int], int]) -> None:
        """Read these partitions from these offsets (-2: the earliest) and no others."""
        self._generation += 1
        self._positions = dict(starts)
        self._ends = {}
        self._ahead = None
        if starts:
            self._run(self._follow({topic for topic, _ in starts}))

    async def _follow(self, topics: set[str]) -> None:
        await self._client.set_topics(topics)

    def position(self, topic: str, partition: int) -> int:
        """Return the offset that the next fetch of a partition starts from."""
        return self._positions[topic, partition]

    def poll(self) -> list[RawBatch]:
        """Return the next batches, waiting for the broker's answer at most; [] when there are none."""
        if not self._positions:
            return []
        batches = (self._ahead or self._start()).result()
        # Read ahead only under load. Caught up, a fetch made later brings everything that came meanwhile.
        self.behind = any(self._positions[tp] < end for tp, end in self._ends.items())
        self._ahead = self._start() if self.behind else None
        return batches

    def _start(self) -> Future[list[RawBatch]]:
        return asyncio.run_coroutine_threadsafe(self._fetch(self._generation), self._loop)

    async def _fetch(self, generation: int) -> list[RawBatch]:
        by_leader: dict[int, dict[str, list[tuple[int, int, int]]]] = defaultdict(lambda: defaultdict(list))
        for (topic, partition), offset in self._positions.items():
            leader = self._client.cluster.leader_for_partition(TopicPartition(topic, partition))
            if leader is None or leader == -1:
                await self._wait_for_metadata()
                return []
            if offset == _EARLIEST:
                try:
                    offset = await self._earliest(leader, topic, partition)  # noqa: PLW2901
                except errors.KafkaError:
                    await self._wait_for_metadata()
                    return []
            by_leader[leader][topic].append((partition, offset, self._max_bytes // 2))
        found: list[RawBatch] = []
        answers = (self._ask(leader, topics) for leader, topics in by_leader.items())
        for batches, following, ends in await asyncio.gather(*answers):
            if generation == self._generation:
                found += batches
                self._positions |= following
                self._ends |= ends
        return found if generation == self._generation else []

    async def _ask(
        self, leader: int, topics: dict[str, list[tuple[int, int, int]]]
    ) -> tuple[list[RawBatch], dict[tuple[str, int], int], dict[tuple[str, int], int]]:
        """Return the leader's batches, the offsets to read next, and where what is committed ends."""
        request = FetchRequest(self._max_wait_ms, 1, self._max_bytes, _READ_COMMITTED, list(topics.items()))
        batches: list[RawBatch] = []
        following: dict[tuple[str, int], int] = {}
        ends: dict[tuple[str, int], int] = {}
        try:
            answer = await self._client.send(leader, request)
        except errors.KafkaError as error:
            log.warning("Fetch failed; trying again.", leader=leader, error=str(error) or repr(error))
            await self._wait_for_metadata()
            return batches, following, ends
        offsets = {(topic, p): offset for topic, parts in topics.items() for p, offset, _ in parts}
        for topic, partitions in answer.topics:
            for partition, code, _, *rest in partitions:
                first = offsets[topic, partition]
                if code:
                    following[topic, partition] = await self._refused(code, leader, topic, partition, first)
                    continue
                # v4: lso, aborted, records; v5 on: lso, log start, aborted[, preferred replica], records
                ends[topic, partition] = rest[0]
                aborted = rest[1] if answer.API_VERSION == 4 else rest[2]
                got, following[topic, partition] = split(
                    topic, partition, rest[-1] or b"", first, aborted or []
                )
                batches += got
        return batches, following, ends

    async def _refused(self, code: int, leader: int, topic: str, partition: int, offset: int) -> int:
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
        log.warning("Fetch refused; trying again.", topic=topic, partition=partition, error=kind.__name__)
        await self._wait_for_metadata()
        return offset

    async def _earliest(self, leader: int, topic: str, partition: int) -> int:
        answer = await self._client.send(
            leader, OffsetRequest(-1, _READ_COMMITTED, [(topic, [(partition, _EARLIEST)])])
        )
        [(_, [(_, code, *rest)])] = answer.topics
        if code:
            raise errors.for_code(code)(f"{topic}/{partition}: no earliest offset")
        return int(rest[-1])

    async def _wait_for_metadata(self) -> None:
        await asyncio.sleep(0.1)
        await self._client.force_metadata_update()

    def close(self) -> None:
        """End the connection and the thread."""
        self._positions = {}
        self._run(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
