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
    batches = [
        *(batch(n) for n in range(60, 70)),
        batch(70, offsets=moved, duplicates=2),
        batch(71, offsets=moved, dead_letters=1),
        *(batch(n, offsets=moved) for n in range(72, 75)),
        batch(75),
    ]
    reader = JournalBatchReader(CODEC)

    decoded = [reader.decode(CODEC.encode(each)) for each in batches]

    assert [msgspec.structs.replace(each, offsets=[]) for each in decoded] == [
        msgspec.structs.replace(each, offsets=[]) for each in batches
    ]


@pytest.mark.parametrize("cut", [0, 4, 5, 6, 20])
def test_what_is_cut_off_is_refused_also_after_an_idle_batch(cut: int) -> None:
    reader = JournalBatchReader(CODEC)
    reader.decode(CODEC.encode(batch(1)))

    with pytest.raises(SchemaError):
        reader.decode(CODEC.encode(batch(2))[:cut])
