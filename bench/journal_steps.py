"""What usage costs the journal by the accounts in a batch: microseconds of one core an account."""

from __future__ import annotations

import time
from statistics import median

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from bench.workload.accounts import NOW, Size
from processors.intake.admission import Admission
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.identity.keys import account_key
from schemas.records import UsageEvent
from schemas.times import DAY, HOUR
from schemas.topics import Topics
from streams.journal.sorting import EventSorter
from streams.kafka.record_batches import RawBatch, committed_batches

__all__ = ["costs"]

_EVENTS = 3
"""Events an account in a batch."""


def costs(size: Size, count: int, rounds: int) -> dict[str, float]:
    """Return the microseconds an account of sorting stored usage and of encoding its cells."""
    sorter = EventSorter(Topics(partitions=1), 0, committed(), Admission(90 * DAY, HOUR), 10_000_000)
    sort, encode = [], []
    for number in range(rounds + 1):
        stored = _stored(size, count, number)
        began = time.thread_time()
        usage = sorter.sort(stored, NOW).usage
        sorted_ = time.thread_time()
        usage.rolled_up().encode()
        sort.append(sorted_ - began)
        encode.append(time.thread_time() - sorted_)
    per_account = 1e6 / count
    return {  # the first round is not counted: compiled code is loaded in it, and caches are filled
        "journal: sort": median(sort[1:]) * per_account,
        "journal: encode cells": median(encode[1:]) * per_account,
    }


def _stored(size: Size, count: int, number: int) -> list[RawBatch]:
    """Return one batch of records, as a broker stores them, with new events of each account."""
    encode = codec("usage.events").encode
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        batch_size=10**8,
    )  # fmt: skip
    for place in range(count * _EVENTS):
        name = f"{size.name}-{place % count:06d}"
        event = UsageEvent(
            event_id=f"{number}-{place}",
            tenant="acme",
            account_id=name,
            source="bench",
            occurred_at=NOW - place,
            received_at=NOW,
            name="Report Viewed",
            user_id=f"user-{place % size.users}",
            feature=f"feature {place % size.features}",
        )
        key = account_key("acme", name)
        builder.append(place, timestamp=NOW, key=key, value=encode(event), headers=[])
    data = bytearray(builder.build())
    base = number * count * _EVENTS
    data[:8] = base.to_bytes(8, "big")
    batches, *_ = committed_batches("usage.events", 0, bytes(data), base, [])
    return list(batches)
