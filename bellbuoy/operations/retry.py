"""Ask Kafka something that it may not know just yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaException

from bellbuoy.operations.topics import KafkaAwayError
from streams.kafka.errors import LEADER_UNKNOWN

__all__ = ["ask_again"]

T = TypeVar("T")

_SECONDS = 15.0
_PAUSE = 0.1


def ask_again(bootstrap: str, ask: Callable[[], T]) -> T:
    """Return what ``ask`` returns, asked again while partitions have no leader; raise KafkaAwayError."""
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            return ask()
        except KafkaException as error:
            reason = error.args[0]
            if reason.code() not in LEADER_UNKNOWN or time.monotonic() > deadline:
                raise KafkaAwayError(bootstrap, reason.str()) from None
        time.sleep(_PAUSE)
