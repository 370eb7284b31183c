"""The report of inputs that an open transaction of another producer holds back."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from schemas.topics import Topics
from streams.journal import metrics
from streams.kafka.held_records import HeldRecords
from streams.kafka.log_position import Part
from streams.runtime.health import Health

__all__ = ["HeldInputs"]

log = structlog.get_logger(__name__)

_MOST_SECONDS = 75.0
"""An input is held back once a transaction is open longer than this: Kafka's default ends one after 60 s."""


class HeldInputs:
    """Reporter of inputs that are held back: log lines, a metric, and the readiness condition."""

    def __init__(self, health: Health, topics: Topics, bootstrap: str) -> None:
        self._health, self._topics, self._bootstrap = health, topics, bootstrap
        self._told: set[Part] = set()

    def report(self, held: Mapping[Part, HeldRecords]) -> None:
        """Take what every input holds back now, by topic and partition."""
        stuck = {part: records for part, records in held.items() if records.seconds > _MOST_SECONDS}
        for part, records in stuck.items():
            topic = self._topics.plain(part[0])
            metrics.HELD_RECORDS.labels(topic=topic, partition=part[1]).set(records.count)
            if part not in self._told:
                log.error(
                    "Input held back: a producer's transaction stays open, and nothing after it can be read.",
                    topic=part[0],
                    partition=part[1],
                    offset=records.offset,
                    records=records.count,
                )
        for topic, partition in self._told - stuck.keys():
            metrics.HELD_RECORDS.remove(self._topics.plain(topic), partition)
            log.info("Input can be read again.", topic=topic, partition=partition)
        self._told = set(stuck)
        words = "; ".join(records.in_words(part, self._bootstrap) for part, records in sorted(stuck.items()))
        self._health.set_condition("transactions", not stuck, words)
