"""The report of transactions that other producers leave open on the inputs."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from schemas.connection import Connection
from schemas.topics import Topics
from streams.journal import metrics
from streams.kafka.log_position import Part
from streams.kafka.open_transaction import OpenTransaction
from streams.runtime.health import Health

__all__ = ["OpenTransactions"]

log = structlog.get_logger(__name__)

_MOST_SECONDS = 75.0
"""An input is held back once a transaction is open longer than this: Kafka's default ends one after 60 s."""


class OpenTransactions:
    """Reporter of transactions that stay open: log lines, a metric, and the readiness condition."""

    def __init__(self, health: Health, topics: Topics, connection: Connection) -> None:
        self._health, self._topics, self._connection = health, topics, connection
        self._told: set[Part] = set()

    def report(self, found: Mapping[Part, OpenTransaction]) -> None:
        """Take the open transaction of every input that has one, by topic and partition."""
        stuck = {part: found[part] for part in sorted(found) if found[part].seconds > _MOST_SECONDS}
        for part, transaction in stuck.items():
            topic = self._topics.plain(part[0])
            metrics.WAITING_RECORDS.labels(topic=topic, partition=part[1]).set(transaction.records)
            if part not in self._told:
                log.error(
                    "Input held back: a producer's transaction stays open, and nothing after it can be read.",
                    topic=part[0],
                    partition=part[1],
                    offset=transaction.offset,
                    records=transaction.records,
                )
        for topic, partition in self._told - stuck.keys():
            metrics.WAITING_RECORDS.remove(self._topics.plain(topic), partition)
            log.info("Input can be read again.", topic=topic, partition=partition)
        self._told = set(stuck)
        words = [transaction.in_words(part, self._connection) for part, transaction in stuck.items()]
        self._health.set_condition("transactions", not stuck, "; ".join(words))
