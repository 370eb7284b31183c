"""Offsets that a sink has written, by Kafka and by the sink itself where it keeps positions."""

from __future__ import annotations

import time
from functools import partial

from confluent_kafka import Consumer, KafkaException

from bellbuoy.operations.kafka.errors import kafka_away
from bellbuoy.operations.kafka.retry import retry_while_leaderless
from bellbuoy.settings import Settings
from sinks.port import Once, Positioned, Sink, SinkError
from streams.delivery.offsets import committed_positions
from streams.delivery.subscription import Subscription
from streams.kafka.log_reader import last_record

__all__ = ["await_delivery", "written_offsets"]

_PAUSE_SECONDS = 0.5


def await_delivery(settings: Settings, sink: Sink, seconds: float) -> bool:
    """
    Wait until a sink has written everything that is published now; return whether it has.

    What a sink has gathered counts only once it is written. Raises KafkaAwayError.
    """
    deadline = time.monotonic() + seconds
    ends = _ends(settings, sink)
    while True:
        written = written_offsets(settings, sink)
        # A channel without a position was added later: older notifications are none of its business.
        missing = written if isinstance(sink, Once) else ends
        if all(written.get(part, 0) >= ends.get(part, 0) for part in missing):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_SECONDS)


def _ends(settings: Settings, sink: Sink) -> dict[str, int]:
    """Return the offset after the last record of each ``topic/partition`` that a sink takes."""
    topics, connection = settings.kafka.topics(), settings.kafka.connection()
    ends = {}
    for part in Subscription.of(sink, topics).partitions():
        last = retry_while_leaderless(
            connection, partial(last_record, connection, part.topic, part.partition)
        )
        if last is not None:
            ends[f"{topics.plain(part.topic)}/{part.partition}"] = last.offset + 1
    return ends


def written_offsets(settings: Settings, sink: Sink) -> dict[str, int]:
    """Return the offset that a sink takes next of each ``topic/partition``; raise KafkaAwayError."""
    committed = _committed(settings, sink)
    if not isinstance(sink, Positioned):
        return committed
    try:
        stored = sink.positions()
    except SinkError:
        return {}
    return {part: min(offset, stored.get(part, 0)) for part, offset in committed.items()}


def _committed(settings: Settings, sink: Sink) -> dict[str, int]:
    topics, connection = settings.kafka.topics(), settings.kafka.connection()
    subscription = Subscription.of(sink, topics)
    parts = [(part.topic, part.partition) for part in subscription.partitions()]
    group = Consumer({**connection.librdkafka(), "group.id": subscription.group, "log_level": 0})
    try:
        positions = committed_positions(group, parts)
    except KafkaException as error:
        raise kafka_away(connection, error.args[0]) from None
    finally:
        group.close()
    return {f"{topics.plain(topic)}/{number}": at.offset for (topic, number), at in positions.items()}
