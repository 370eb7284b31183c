"""Batches read quickly are the batches that the codec reads."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.codec.errors import SchemaError
from schemas.codec.record_codec import codec
from schemas.records import JournalBatch, SourceRange
from streams.journal.batch_reader import JournalBatchReader

CODEC = codec("account.journal")
OFFSETS = [SourceRange(topic="usage.events", first=7, next=7)]


def batch(sequence: int, **fields: Any) -> JournalBatch:
    return JournalBatch(sequence=sequence, written_at=sequence * 1_000, **({"offsets": OFFSETS} | fields))


def test_idle_batches_between_others() -> None:
    moved = [SourceRange(topic="usage.events", first=7, next=9)]
    given = [
        *(batch(n) for n in range(60, 70)),
        batch(70, offsets=moved, duplicates=2),
        batch(71, offsets=moved, dead_letters=1),
        *(batch(n, offsets=moved) for n in range(72, 75)),
        batch(75),
    ]
    reading = JournalBatchReader(CODEC)

    found = [reading.decode(CODEC.encode(one)) for one in given]

    assert [msgspec.structs.replace(one, offsets=[]) for one in found] == [
        msgspec.structs.replace(one, offsets=[]) for one in given
    ]


@pytest.mark.parametrize("cut", [0, 4, 5, 6, 20])
def test_what_is_cut_off_is_refused_also_after_an_idle_batch(cut: int) -> None:
    reading = JournalBatchReader(CODEC)
    reading.decode(CODEC.encode(batch(1)))

    with pytest.raises(SchemaError):
        reading.decode(CODEC.encode(batch(2))[:cut])
