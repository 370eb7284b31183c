"""The repetition of a call to a Kafka client while its error may pass by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from typing import TypeVar

from confluent_kafka import KafkaException

__all__ = ["REQUEST_SECONDS", "retry"]

T = TypeVar("T")

REQUEST_SECONDS = 30.0
"""How long one request to Kafka may take; a call is repeated for twice as long."""

_PAUSE_SECONDS = 0.1


def retry(
    call: Callable[[], T],
    passing: Container[int] = (),
    before_retry: Callable[[], object] = lambda: None,
) -> T:
    """
    Return what the call returns; repeat it while its error is retriable or its code is in ``passing``.

    Raises the KafkaException of the last attempt.
    """
    deadline = time.monotonic() + 2 * REQUEST_SECONDS
    while True:
        try:
            return call()
        except KafkaException as error:
            reason = error.args[0]
            if not (reason.retriable() or reason.code() in passing) or time.monotonic() > deadline:
                raise
        if passing:
            time.sleep(_PAUSE_SECONDS)
            before_retry()
