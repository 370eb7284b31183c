"""Committer of one sink's offsets: first to the sink, where it keeps positions, then to Kafka."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from sinks.port import SetBackError, SinkError
from streams.delivery.broker_watch import BrokerWatch
from streams.delivery.daily_use import DailyUseCounter
from streams.delivery.offsets import SinkOffsets, committable
from streams.delivery.resume import ResumePoint
from streams.delivery.status import SinkStatus
from streams.kafka.log_position import LogPosition, Part

__all__ = ["OffsetCommitter", "parts_of"]

_COMMIT_SECONDS = 0.1
"""Time between two commits while batches are written."""
_CHECK_SECONDS = 1.0
"""Time between two looks at the sink's positions while nothing is written."""


def parts_of(partitions: Iterable[TopicPartition]) -> list[Part]:
    """Return topic and number of each partition."""
    return [(part.topic, part.partition) for part in partitions]


class OffsetCommitter:
    """Commits the offsets that a sink was written up to."""

    def __init__(
        self,
        offsets: SinkOffsets,
        resume_point: ResumePoint,
        watch: BrokerWatch,
        status: SinkStatus,
        use: DailyUseCounter | None,
    ) -> None:
        self._offsets, self._resume_point, self._use = offsets, resume_point, use
        self._watch, self._status = watch, status
        self._committed_at = 0.0

    def commit(self, consumer: Consumer) -> None:
        """Commit what was written, now and then; don't wait, so that the next record is not delayed."""
        now = time.monotonic()
        self._count_use()
        uncommitted = self._offsets.uncommitted
        if now - self._committed_at < (_COMMIT_SECONDS if uncommitted else _CHECK_SECONDS):
            return
        self._committed_at = now
        if self._store_positions(uncommitted) and uncommitted and not self._watch.away:
            consumer.commit(offsets=committable(uncommitted, self._notes()), asynchronous=True)
            self._offsets.committed(uncommitted)

    def commit_all(self, consumer: Consumer) -> None:
        """Commit everything written, before partitions are given away, and wait for the answer."""
        self._count_use()
        written = self._offsets.written
        if not written or not self._store_positions(written) or self._watch.away:
            return
        try:
            consumer.commit(offsets=committable(written, self._notes()), asynchronous=False)
        except KafkaException as error:
            self._warn(error.args[0])
        self._offsets.committed(written)

    def on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        """Take Kafka's answer to a commit: the consumer's ``on_commit``."""
        if error is not None:
            self._warn(error)
            self._offsets.not_committed(parts_of(partitions))

    def _count_use(self) -> None:
        part = None if self._use is None else self._use.count(self._offsets.written)
        if part is not None:
            self._offsets.not_committed([part])

    def _notes(self) -> dict[Part, str]:
        return {} if self._use is None else self._use.notes

    def _store_positions(self, written: Mapping[Part, LogPosition]) -> bool:
        """Let the sink store these offsets; with none, let it see that it is as this writer left it."""
        try:
            self._resume_point.reached(written)
        except SetBackError:
            self._resume_point.ask()
        except SinkError as error:
            self._status.not_ready(str(error))
        else:
            self._status.ready()
            return True
        return False

    def _warn(self, error: KafkaError) -> None:
        self._status.log.warning(
            "Offsets not committed: at worst these records are written once more.", error=error.str()
        )
