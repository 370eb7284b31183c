"""The answer to a request of Kafka's admin client."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException

from streams.kafka.errors import TIMED_OUT

__all__ = ["answer"]

T = TypeVar("T")


def answer(future: Future[T], seconds: float) -> T:
    """
    Return the answer to a request whose own limit is so many seconds; raise KafkaException.

    The client begins to count when it sends the request, which is later than now, so that its own error comes
    first; where it is too busy even for that, the same error is raised here.
    """
    try:
        return future.result(2 * seconds)
    except TimeoutError:
        raise KafkaException(KafkaError(TIMED_OUT, "no answer to a request in time")) from None
