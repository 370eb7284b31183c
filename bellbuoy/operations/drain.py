"""Tell whether everything accepted has gone all the way, through journal, state and delivery."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, TopicPartition

from bellbuoy.operations.ledger import Ends, ends, positions
from bellbuoy.operations.retry import ask_again
from schemas.codec.record_codec import codec
from schemas.inputs import INPUT_TOPICS
from schemas.topics import Topics
from streams.delivery.sink_consumer import OUTPUTS
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


def wait_drained(bootstrap: str, topics: Topics, seconds: float, sink: str = "redis") -> None:
    """Return once nothing is under way; raise NotDrainedError after *seconds*, and KafkaAwayError."""
    deadline = time.monotonic() + seconds
    while (what := behind(bootstrap, topics, sink)) is not None:
        if time.monotonic() > deadline:
            raise NotDrainedError(f"not everything was through after {seconds:.0f} s: {what}")
        time.sleep(_PAUSE)


def behind(bootstrap: str, topics: Topics, sink: str = "redis") -> str | None:
    """Return, in words, the first part that has work left, or ``None``; raise KafkaAwayError."""
    return ask_again(bootstrap, lambda: _behind(bootstrap, topics, sink))


def _behind(bootstrap: str, topics: Topics, sink: str) -> str | None:
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
    return undelivered(bootstrap, topics, sink)


def _unread(bootstrap: str, topics: Topics, topic: str, partition: int, following: int, there: Ends) -> bool:
    if there[topic, partition] <= following:
        return False
    # What stands at the end may be the marker of a transaction that moved records here.
    record = last_record(bootstrap, topics.name(topic), partition)
    return record is not None and record.offset >= following


def undelivered(bootstrap: str, topics: Topics, sink: str = "redis") -> str | None:
    """Return, in words, an output of which the sink has not got all that stands there now, or ``None``."""
    group = f"{topics.prefix}deliver-{sink}"
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "log_level": 0})
    try:
        there = ends(bootstrap, topics)
        asked = [TopicPartition(topics.name(t), p) for t in OUTPUTS for p in range(topics.partitions)]
        for found in reader.committed(asked, timeout=_SECONDS):
            if max(0, found.offset) < there[topics.plain(found.topic), found.partition]:
                return f"delivery to {sink} has not written all of {found.topic}, partition {found.partition}"
    finally:
        reader.close()
    return None
