"""Usage records as producers write them and a broker stores them, and what the intake makes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import strategies as st

from processors.intake.admission import Admission
from schemas.codec.envelope import ENVELOPE_SUBJECT
from schemas.codec.journal_batch import JournalWriter
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.codec.varint import varint
from schemas.records import UsageEvent
from schemas.times import DAY
from schemas.topics import Topics
from streams.journal.sorted_events import SortedEvents
from streams.journal.sorting import EventSorter
from streams.kafka.record_batches import RawBatch, committed_batches

NOW = 20_000 * DAY
TOPICS = Topics(partitions=1)
LIMITS = Admission(90 * DAY, 3_600_000)
WRITER = JournalWriter(committed())

texts = st.text(max_size=12)
longs = st.integers(-(2**63), 2**63 - 1)
near = st.integers(NOW - 91 * DAY, NOW + 4_000_000)
usages = st.builds(
    UsageEvent,
    event_id=texts | st.sampled_from("abc"),
    tenant=st.sampled_from(("acme", "acme", "acme", "Bad!")),
    account_id=st.sampled_from(("a", "b", "")) | texts,
    source=texts,
    occurred_at=near | longs,
    received_at=st.just(NOW) | longs,
    user_id=st.none() | texts,
    name=texts,
    feature=st.none() | texts | st.text(min_size=1_000, max_size=1_100),
    duration_ms=st.none() | st.integers(0, 10**6) | longs,
    error=st.booleans(),
    latency_ms=st.none() | st.integers(0, 10**6) | longs,
)
encoded = usages.map(codec("usage.events").encode)
keys = st.none() | st.binary(max_size=5) | st.just(b"acme:a")
headers = st.just([]) | st.lists(st.tuples(st.text(max_size=3), st.binary(max_size=3)), max_size=2)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A record's bytes with something cut, added or changed."""
    data = bytearray(draw(encoded))
    at = draw(st.integers(0, len(data)))
    match draw(st.sampled_from(("cut", "add", "change", "id"))):
        case "cut":
            return bytes(data[:at])
        case "add":
            return bytes(data[:at]) + draw(st.binary(min_size=1, max_size=4)) + bytes(data[at:])
        case "id":
            return b"\0\0\0\0" + draw(st.binary(min_size=1, max_size=1)) + bytes(data[5:])
        case _:
            for _ in range(draw(st.integers(1, 3))):
                data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
            return bytes(data)


def enveloped(values: list[bytes]) -> bytes:
    """An envelope of these, however few."""
    items = b"".join(value[5:] for value in values)
    return committed().prefix(ENVELOPE_SUBJECT) + (varint(len(values)) + items if values else b"") + b"\0"


@st.composite
def damaged_envelopes(draw: st.DrawFn) -> bytes:
    """An envelope with a byte cut, added or changed, or written in several blocks."""
    values = draw(st.lists(encoded, min_size=1, max_size=4))
    data = bytearray(enveloped(values))
    at = draw(st.integers(5, len(data) - 1))
    match draw(st.sampled_from(("cut", "add", "change", "blocks", "sized blocks"))):
        case "cut":
            del data[at]
        case "add":
            data.insert(at, draw(st.integers(0, 255)))
        case "change":
            data[at] = draw(st.integers(0, 255))
        case "blocks":
            blocks = (varint(1) + value[5:] for value in values)
            return bytes(data[:5]) + b"".join(blocks) + b"\0"
        case _:  # a negative count is followed by the block's bytes
            blocks = (b"\x01" + varint(len(value) - 5) + value[5:] for value in values)
            return bytes(data[:5]) + b"".join(blocks) + b"\0"
    return bytes(data)


values = (
    st.none()
    | encoded
    | encoded
    | encoded
    | damaged()
    | st.lists(encoded, max_size=5).map(enveloped)
    | damaged_envelopes()
    | st.binary(max_size=60)
)
records = st.lists(st.tuples(keys, values, headers), max_size=6)


def stored(batches: list[list[tuple[Any, Any, Any]]], compression: int = 0) -> list[RawBatch]:
    """The batches as a broker keeps and sends them."""
    base, found = 0, b""
    for batch in batches:
        if not batch:
            continue
        builder = DefaultRecordBatchBuilder(
            magic=2, compression_type=compression, is_transactional=0,
            producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=10**6,
        )  # fmt: skip
        for number, (key, value, given_headers) in enumerate(batch):
            builder.append(number, timestamp=NOW + number, key=key, value=value, headers=given_headers)
        data = bytearray(builder.build())
        data[:8] = base.to_bytes(8, "big")
        base, found = base + len(batch), found + bytes(data)
    result, following, _ = committed_batches("usage.events", 0, found, 0, [])
    assert following == base
    return result


def intake(topics: Topics = TOPICS) -> EventSorter:
    return EventSorter(topics, 0, committed(), LIMITS, 1_000)


def one_by_one(batches: list[RawBatch], topics: Topics = TOPICS) -> SortedEvents:
    """What the intake makes of records that the reference codec reads, every one of them."""
    slow = intake(topics)
    columns = slow._usage._columns
    read = columns.read

    def all_broken(pieces: Any) -> Any:
        return replace(read([]), broken=np.arange(len(pieces), dtype=np.int32))

    columns.read = all_broken  # type: ignore[method-assign]
    return slow.sort(batches, NOW)


def written(result: SortedEvents) -> bytes:
    """The journal batch, as the journal writes it."""
    return WRITER.write(result.batch(0, NOW, []), result.usage.rolled_up().encode())


def content(result: SortedEvents) -> Any:
    return (
        written(result),
        sorted(result.dead_letters, key=lambda letter: letter.id),
        sorted(result.misplaced, key=lambda misplaced: (misplaced.record.offset, misplaced.record.headers)),
    )
