"""Retry of requests to Kafka while a new topic's partitions have no leader yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaException

from bellbuoy.operations.kafka.errors import kafka_away
from schemas.connection import Connection
from streams.kafka.errors import LEADER_UNKNOWN

__all__ = ["retry_while_leaderless"]

T = TypeVar("T")

_SECONDS = 15.0
_PAUSE_SECONDS = 0.1


def retry_while_leaderless(connection: Connection, request: Callable[[], T]) -> T:
    """
    Return what ``request`` returns, repeating it while partitions have no leader, for 15 seconds at most.

    Raises KafkaAwayError when they get none, and for every other error of Kafka's.
    """
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            return request()
        except KafkaException as error:
            reason = error.args[0]
            if reason.code() not in LEADER_UNKNOWN or time.monotonic() > deadline:
                raise kafka_away(connection, reason) from None
        time.sleep(_PAUSE_SECONDS)
