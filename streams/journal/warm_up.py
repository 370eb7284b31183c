"""
Compiler warm-up: compiles what the journal calls before it joins its group.

The first time on a machine this takes some 15 seconds, longer than a session; later about one. As a program,
``python -m streams.journal.warm_up`` fills the compiler's cache and ends: the container image does so when it
is built.
"""

from __future__ import annotations

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from processors.intake.admission import Admission
from schemas.codec.record_codec import codec
from schemas.codec.registry import Registry, committed
from schemas.identity.keys import account_key
from schemas.records import UsageEvent
from schemas.topics import Topics
from streams.journal.sorting import EventSorter
from streams.kafka.record_batches import committed_batches

__all__ = ["warm_up"]

_NOW = 1


def warm_up(registry: Registry) -> None:
    """Send one event through every compiled function: decoding, admission, dedupe, cells."""
    event = UsageEvent(
        event_id="1", tenant="t", account_id="a", source="s", occurred_at=_NOW, received_at=_NOW, name="n",
        user_id="u", feature="f",
    )  # fmt: skip
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        batch_size=10_000,
    )  # fmt: skip
    value = codec("usage.events", registry).encode(event)
    builder.append(0, timestamp=_NOW, key=account_key("t", "a"), value=value, headers=[])
    batches, *_ = committed_batches("usage.events", 0, bytes(builder.build()), 0, [])
    sorter = EventSorter(Topics(partitions=1), 0, registry, Admission(_NOW, _NOW), 10_000)
    sorter.sort(batches, _NOW).usage.rolled_up().encode()


if __name__ == "__main__":
    warm_up(committed())
