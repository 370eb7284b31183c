"""The check whether every accepted event has gone through journal, state and delivery into the sinks."""

from __future__ import annotations

import time
from collections.abc import Collection

from bellbuoy.errors import OperatorError
from bellbuoy.operations.ledger import EndOffsets, end_offsets, read_positions, written_offsets
from bellbuoy.operations.retry import retry_while_leaderless
from schemas.codec.record_codec import codec
from schemas.connection import Connection
from schemas.inputs import INPUT_TOPICS
from schemas.topics import Topics
from sinks.port import Sink
from streams.delivery.subscription import Subscription
from streams.kafka.log_reader import last_record
from streams.kafka.record import KafkaRecord

__all__ = ["NotDrainedError", "pending_work", "undelivered_output", "wait_drained"]

_PAUSE_SECONDS = 0.1


class NotDrainedError(OperatorError):
    """
    The pipeline did not catch up in time; nothing is lost.

    Operator action: see the log of the part that is named, or wait longer.
    """


def wait_drained(connection: Connection, topics: Topics, sinks: Collection[Sink], seconds: float) -> None:
    """Return once no work is pending; raise NotDrainedError after *seconds*, and KafkaAwayError."""
    deadline = time.monotonic() + seconds
    while (pending := pending_work(connection, topics, sinks)) is not None:
        if time.monotonic() > deadline:
            raise NotDrainedError(f"work is still pending after {seconds:.0f} s: {pending}")
        time.sleep(_PAUSE_SECONDS)


def pending_work(connection: Connection, topics: Topics, sinks: Collection[Sink]) -> str | None:
    """Return, in words, the first part that has work left, or ``None``; raise KafkaAwayError."""
    return retry_while_leaderless(connection, lambda: _pending_work(connection, topics, sinks))


def _pending_work(connection: Connection, topics: Topics, sinks: Collection[Sink]) -> str | None:
    batches = codec("account.journal")
    # Read first: what the worker forwarded until now is then among the inputs whose ends are read next.
    folded = read_positions(connection, topics)
    ends = end_offsets(connection, topics)
    last: dict[int, KafkaRecord | None] = {
        p: last_record(connection, topics.name("account.journal"), p) for p in range(topics.partitions)
    }
    for partition, record in last.items():
        covered = {} if record is None else {r.topic: r.next for r in batches.decode(record.value).offsets}
        for topic in INPUT_TOPICS:
            if _unread(connection, topics, topic, partition, covered.get(topic, 0), ends):
                return f"the journal has not read all of {topics.name(topic)}, partition {partition}"
    for partition, record in last.items():
        if record is not None and (partition not in folded or folded[partition].offset < record.offset):
            return f"the worker has not folded all of the journal's partition {partition}"
    return undelivered_output(connection, topics, sinks)


def _unread(
    connection: Connection, topics: Topics, topic: str, partition: int, next_offset: int, ends: EndOffsets
) -> bool:
    if ends[topic, partition] <= next_offset:
        return False
    # The end may be the marker of a transaction that moved records here, not a record.
    record = last_record(connection, topics.name(topic), partition)
    return record is not None and record.offset >= next_offset


def undelivered_output(connection: Connection, topics: Topics, sinks: Collection[Sink]) -> str | None:
    """Return, in words, an output that a sink does not have up to its present end, or ``None``."""
    ends = end_offsets(connection, topics)
    for sink in sinks:
        subscription = Subscription.of(sink, topics)
        for part in written_offsets(connection, subscription):
            if max(0, part.offset) < ends[topics.plain(part.topic), part.partition]:
                return (
                    f"delivery to {sink.name} has not written all of {part.topic}, partition {part.partition}"
                )
    return None
