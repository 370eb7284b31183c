"""Check that everything accepted went through journal, state and delivery into every sink."""

from __future__ import annotations

import time
from collections.abc import Collection

from confluent_kafka import Consumer

from bellbuoy.operations.ledger import Ends, ends, positions
from bellbuoy.operations.retry import ask_again
from schemas.codec.record_codec import codec
from schemas.inputs import INPUT_TOPICS
from schemas.topics import Topics
from sinks.port import Sink
from streams.delivery.subscription import Subscription
from streams.kafka.log_reader import last_record
from streams.kafka.record import KafkaRecord

__all__ = ["NotDrainedError", "behind", "undelivered", "wait_drained"]

_PAUSE = 0.1
_SECONDS = 10.0


class NotDrainedError(Exception):
    """
    The pipeline did not catch up in time; nothing is lost.

    Operator action: see the log of the part that is named, or wait longer.
    """


def wait_drained(bootstrap: str, topics: Topics, sinks: Collection[Sink], seconds: float) -> None:
    """Return once nothing is under way; raise NotDrainedError after *seconds*, and KafkaAwayError."""
    deadline = time.monotonic() + seconds
    while (what := behind(bootstrap, topics, sinks)) is not None:
        if time.monotonic() > deadline:
            raise NotDrainedError(f"not everything was through after {seconds:.0f} s: {what}")
        time.sleep(_PAUSE)


def behind(bootstrap: str, topics: Topics, sinks: Collection[Sink]) -> str | None:
    """Return, in words, the first part that has work left, or ``None``; raise KafkaAwayError."""
    return ask_again(bootstrap, lambda: _behind(bootstrap, topics, sinks))


def _behind(bootstrap: str, topics: Topics, sinks: Collection[Sink]) -> str | None:
    batches = codec("account.journal")
    # First: what the worker sent on until then is among the inputs that are looked at next.
    folded = positions(bootstrap, topics)
    there = ends(bootstrap, topics)
    last: dict[int, KafkaRecord | None] = {
        p: last_record(bootstrap, topics.name("account.journal"), p) for p in range(topics.partitions)
    }
    for partition, record in last.items():
        covered = {} if record is None else {r.topic: r.next for r in batches.decode(record.value).offsets}
        for topic in INPUT_TOPICS:
            if _unread(bootstrap, topics, topic, partition, covered.get(topic, 0), there):
                return f"the journal has not read all of {topics.name(topic)}, partition {partition}"
    for partition, record in last.items():
        if record is not None and (partition not in folded or folded[partition].offset < record.offset):
            return f"the worker has not folded all of the journal's partition {partition}"
    return undelivered(bootstrap, topics, sinks)


def _unread(bootstrap: str, topics: Topics, topic: str, partition: int, following: int, there: Ends) -> bool:
    if there[topic, partition] <= following:
        return False
    # What stands at the end may be the marker of a transaction that moved records here.
    record = last_record(bootstrap, topics.name(topic), partition)
    return record is not None and record.offset >= following


def undelivered(bootstrap: str, topics: Topics, sinks: Collection[Sink]) -> str | None:
    """Return, in words, an output that a sink has not written to its present end, or ``None``."""
    there = ends(bootstrap, topics)
    for sink in sinks:
        subscription = Subscription.of(sink, topics)
        reader = Consumer({"bootstrap.servers": bootstrap, "group.id": subscription.group, "log_level": 0})
        try:
            committed = reader.committed(subscription.partitions(), timeout=_SECONDS)
        finally:
            reader.close()
        for part in committed:
            if max(0, part.offset) < there[topics.plain(part.topic), part.partition]:
                return (
                    f"delivery to {sink.name} has not written all of {part.topic}, partition {part.partition}"
                )
    return None
