"""The check whether every accepted event has gone through journal, state and delivery into the sinks."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import NamedTuple

from bellbuoy.errors import OperatorError
from bellbuoy.operations.kafka.ledger import EndOffsets, end_offsets, read_positions, written_offsets
from bellbuoy.operations.kafka.retry import retry_while_leaderless
from schemas.connection import Connection
from schemas.inputs import INPUT_TOPICS
from schemas.topics import Topics
from sinks.port import Sink
from streams.delivery.subscription import Subscription
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import last_record
from streams.kafka.record import KafkaRecord

__all__ = ["NotDrainedError", "PendingWork", "pending_work", "undelivered_output", "wait_drained"]

_PAUSE_SECONDS = 0.1


class NotDrainedError(OperatorError):
    """
    The pipeline stands still before it has caught up; nothing is lost.

    Operator action: see the log of the part that is named, or wait longer.
    """


class PendingWork(NamedTuple):
    """The first part of the pipeline that has work left, in words, and how many offsets are left there."""

    where: str
    offsets: int


def wait_drained(cluster: Cluster, sinks: Collection[Sink], seconds: float) -> None:
    """
    Return once no work is pending; raise NotDrainedError and KafkaAwayError.

    It gives up when nothing has moved for *seconds*, so a slow machine has the time that it needs.
    """
    least: dict[str, int] = {}
    deadline = time.monotonic() + seconds
    while (pending := pending_work(cluster, sinks)) is not None:
        if pending.offsets < least.get(pending.where, pending.offsets + 1):
            least[pending.where] = pending.offsets
            deadline = time.monotonic() + seconds
        if time.monotonic() > deadline:
            raise NotDrainedError(f"nothing moved for {seconds:.0f} s: {pending.where}")
        time.sleep(_PAUSE_SECONDS)


def pending_work(cluster: Cluster, sinks: Collection[Sink]) -> PendingWork | None:
    """Return the first part that has work left, or ``None``; raise KafkaAwayError."""
    return retry_while_leaderless(cluster.connection, lambda: _pending_work(cluster, sinks))


def _pending_work(cluster: Cluster, sinks: Collection[Sink]) -> PendingWork | None:
    connection, topics, batches = cluster.connection, cluster.topics, cluster.codec("account.journal")
    # Read first: what the worker forwarded until now is then among the inputs whose ends are read next.
    folded = read_positions(connection, topics)
    ends = end_offsets(connection, topics)
    last: dict[int, KafkaRecord | None] = {
        p: last_record(connection, topics.name("account.journal"), p) for p in range(topics.partitions)
    }
    for partition, record in last.items():
        covered = {} if record is None else {r.topic: r.next for r in batches.decode(record.value).offsets}
        for topic in INPUT_TOPICS:
            read = covered.get(topic, 0)
            if _unread(connection, topics, topic, partition, read, ends):
                where = f"the journal has not read all of {topics.name(topic)}, partition {partition}"
                return PendingWork(where, ends[topic, partition] - read)
    for partition, record in last.items():
        at = folded[partition].offset if partition in folded else -1
        if record is not None and at < record.offset:
            where = f"the worker has not folded all of the journal's partition {partition}"
            return PendingWork(where, record.offset - at)
    return undelivered_output(connection, topics, sinks)


def _unread(
    connection: Connection, topics: Topics, topic: str, partition: int, next_offset: int, ends: EndOffsets
) -> bool:
    if ends[topic, partition] <= next_offset:
        return False
    # The end may be the marker of a transaction that moved records here, not a record.
    record = last_record(connection, topics.name(topic), partition)
    return record is not None and record.offset >= next_offset


def undelivered_output(connection: Connection, topics: Topics, sinks: Collection[Sink]) -> PendingWork | None:
    """Return an output that a sink does not have up to its present end, or ``None``."""
    ends = end_offsets(connection, topics)
    for sink in sinks:
        subscription = Subscription.of(sink, topics)
        for part in written_offsets(connection, subscription):
            left = ends[topics.plain(part.topic), part.partition] - max(0, part.offset)
            if left > 0:
                where = (
                    f"delivery to {sink.name} has not written all of {part.topic}, partition {part.partition}"
                )
                return PendingWork(where, left)
    return None
