"""
The record batches of a log, as the broker stores them and without an object per record.

Format: record batch v2 (https://kafka.apache.org/documentation/#recordbatch). The batches that are read are
the committed ones: those of aborted transactions and control batches are left out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from aiokafka import codec as codecs
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch

from streams.kafka.record import KafkaRecord

__all__ = ["RawBatch", "committed_batches"]

_HEADER = struct.Struct(">qiibIhiqqqhii")
_LENGTH_END = 12
"""The batch's length counts the bytes from here on."""
_CODEC_BITS, _TRANSACTIONAL_BIT, _CONTROL_BIT = 0x07, 0x10, 0x20
_MAGIC = 2
_DECOMPRESS = {
    1: codecs.gzip_decode,
    2: codecs.snappy_decode,
    3: codecs.lz4_decode,
    4: codecs.zstd_decode,
}


@dataclass(frozen=True, slots=True)
class RawBatch:
    """
    One record batch; ``raw`` is the batch as stored, with its header.

    The offsets of its records count from ``base``. Only those in ``[first, end)`` were asked for: a fetch
    from the middle of a batch returns the whole batch. ``epoch`` is that of the leader that appended it.
    """

    topic: str
    partition: int
    base: int
    first: int
    end: int
    count: int
    codec: int
    raw: bytes
    epoch: int = -1

    def payload(self) -> bytes:
        """Return the records' bytes, decompressed."""
        body = self.raw[_HEADER.size :]
        return bytes(_DECOMPRESS[self.codec](body)) if self.codec else body

    def records(self) -> Iterator[KafkaRecord]:
        """Yield the records that were asked for, one by one, whatever they hold, but for mere ends."""
        for record in DefaultRecordBatch(self.raw):
            if self.first <= record.offset < self.end:
                headers = [(name, value or b"") for name, value in record.headers]
                found = KafkaRecord(
                    self.topic, self.partition, record.offset, record.key, record.value, headers
                )
                if not found.only_ends:
                    yield found


def committed_batches(
    topic: str, partition: int, fetched: bytes, first: int, aborted: list[tuple[int, int]]
) -> tuple[list[RawBatch], int, int]:
    """
    Return the committed batches in the bytes fetched from offset ``first``, and where to fetch next.

    That is an offset and the leader epoch of the last batch before it, committed or not; -1 without a batch.
    ``aborted`` holds (producer id, first offset) of aborted transactions. A batch that the end of the bytes
    cuts off is left for the next fetch. Raises CorruptRecordException for a format older than v2.
    """
    batches: list[RawBatch] = []
    pending = sorted(aborted, key=lambda entry: entry[1])
    aborting: set[int] = set()
    position, next_offset, epoch = 0, first, -1
    while position + _HEADER.size <= len(fetched):
        base, length, leader_epoch, magic, _, attributes, last, _, _, producer, _, _, count = (
            _HEADER.unpack_from(fetched, position)
        )
        batch_end = position + _LENGTH_END + length
        if batch_end > len(fetched):
            break
        if magic != _MAGIC:
            raise CorruptRecordException(f"{topic}/{partition}: record format v{magic}, expected v2")
        raw, position, end = fetched[position:batch_end], batch_end, base + last + 1
        while pending and pending[0][1] <= base:
            aborting.add(pending.pop(0)[0])
        if attributes & _CONTROL_BIT:
            # An abort marker ends its producer's aborted transaction; for a commit marker nothing is open.
            aborting.discard(producer)
        elif end > first and not (attributes & _TRANSACTIONAL_BIT and producer in aborting):
            batches.append(
                RawBatch(
                    topic,
                    partition,
                    base,
                    max(base, first),
                    end,
                    count,
                    attributes & _CODEC_BITS,
                    raw,
                    leader_epoch,
                )
            )
        next_offset, epoch = max(next_offset, end), leader_epoch
    return batches, next_offset, epoch
