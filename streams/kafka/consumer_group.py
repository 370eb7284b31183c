"""The way out of a consumer group that doesn't hang on librdkafka's close."""

from __future__ import annotations

import time
from contextlib import suppress

from confluent_kafka import Consumer, KafkaException

__all__ = ["leave_group"]


def leave_group(consumer: Consumer, seconds: float = 5.0) -> None:
    """
    Leave the consumer group, then close the consumer.

    Partitions are given back first, within *seconds*: librdkafka may wait for ever for an answer when a
    rebalance meets its closing, and every thread of Python waits with it
    (https://github.com/confluentinc/librdkafka/issues/4041).
    """
    deadline = time.monotonic() + seconds
    with suppress(KafkaException):
        consumer.unsubscribe()
        while time.monotonic() < deadline:
            if consumer.poll(0.1) is None and not consumer.assignment():
                break
    consumer.close()
