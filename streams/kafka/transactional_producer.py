"""A transactional Kafka producer that belongs to one partition and fences its earlier owners."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from typing import NoReturn

import structlog
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException, Message, Producer

from schemas.connection import Connection
from schemas.producer_settings import DURABLE
from schemas.topics import MAX_DEAD_LETTER_BYTES
from streams.kafka.client_settings import RECONNECT_QUIETLY
from streams.kafka.errors import (
    EXPIRED,
    FATAL,
    FENCED,
    TIMED_OUT,
    WRONG_STATE,
    FencedError,
    LogChangedError,
    ProducerExpiredError,
)
from streams.kafka.log_inspector import LogInspector
from streams.kafka.log_position import LogPosition, Part
from streams.kafka.record import END_KEY
from streams.kafka.retry import REQUEST_SECONDS, retry

__all__ = ["TransactionalProducer"]

log = structlog.get_logger(__name__)

_RECENT_SECONDS = 120.0
"""How long a partition counts as written to of late."""

_UNHEARD = logging.getLogger(f"{__name__}.librdkafka")
_UNHEARD.disabled = True
"""Takes librdkafka's own lines on a producer that was fenced; FencedError says it to who can act on it."""


class TransactionalProducer:
    """
    Producer with one open transaction at a time.

    The transactional id belongs to the partition, so opening the producer aborts a dead owner's open
    transaction at once and shuts out a zombie. Raises FencedError and KafkaException as ``commit`` does, and
    like that ProducerExpiredError when Kafka has forgotten the id.
    """

    appended_at: int | None = None
    """The broker's time of the last tracked record, UTC milliseconds; ``None``: it didn't say."""

    appended_offsets: list[int]
    """The offsets of the tracked records of the newest transaction."""

    def __init__(self, connection: Connection, transactional_id: str) -> None:
        self.appended_offsets = []
        self._parts: set[Part] = set()
        self._ends_due: set[Part] = set()
        self._written_at: dict[Part, float] = {}
        self._producer = Producer(
            {
                **DURABLE,
                **connection.librdkafka(),
                "transactional.id": transactional_id,
                "transaction.timeout.ms": 60_000,
                "compression.type": "lz4",
                "linger.ms": 5,
                "batch.size": 1_000_000,
                "message.max.bytes": MAX_DEAD_LETTER_BYTES,
                "queue.buffering.max.messages": 1_000_000,
                **RECONNECT_QUIETLY,
                "logger": _UNHEARD,
            }
        )
        # Of two producers that open at the same time, one may be fenced before it has its answer.
        try:
            self._producer.init_transactions(REQUEST_SECONDS)
        except KafkaException as error:
            self._fail(error)

    def begin(self) -> None:
        """Begin a transaction; raise FencedError and KafkaException as ``commit`` does."""
        self.appended_offsets = []
        try:
            self._producer.begin_transaction()
        except KafkaException as error:
            self._fail(error)
        self._parts = set()

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        headers: Sequence[tuple[str, bytes]] = (),
        *,
        tracked: bool = False,
    ) -> None:
        """
        Add a record to the open transaction; wait for room while the client's buffer is full.

        Once the broker has a ``tracked`` record, its offset is in ``appended_offsets``, and its time in
        ``appended_at`` where the topic keeps the broker's times. Track records of one partition only.
        Raises FencedError and KafkaException as ``commit`` does: the broker may have refused meanwhile.
        """
        self._parts.add((topic, partition))
        self._written_at[topic, partition] = time.monotonic()
        while True:
            try:
                self._producer.produce(
                    topic, value, key, partition, self._appended if tracked else None, headers=list(headers)
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                self._fail(error)
            else:
                return

    def commit(self) -> None:
        """
        Commit the open transaction.

        Raises FencedError when another process has taken the partition over, and KafkaException for an
        error that only a restart can clear up.
        """
        ends, self._ends_due = self._ends_due, set()
        for topic, partition in sorted(ends - self._parts):
            self.produce(topic, None, END_KEY, partition)
        try:
            retry(lambda: self._producer.commit_transaction(REQUEST_SECONDS))
        except KafkaException as error:
            self._fail(error)
        self._producer.poll(0)  # what the broker has said of tracked records

    def written_end(self, part: Part, before: LogPosition, area: str) -> LogPosition:
        """
        Return where a log ends after the tracked records of the newest transaction; *before* is its last end.

        Raises LogChangedError where they were appended before that: the log has lost its tail meanwhile.
        *area* is what ``bellbuoy recover`` calls it.
        """
        offsets = self.appended_offsets
        if not offsets:
            return before
        if offsets[0] < before.offset:
            raise LogChangedError(
                f"{part[0]}/{part[1]} ended at {before.offset} and was written at {offsets[0]}: it lost its "
                f"tail; run `bellbuoy recover {area} --dry-run`"
            )
        return LogPosition(offsets[-1] + 1, before.topic_id)

    def recent_parts(self) -> set[Part]:
        """Return the partitions written to within the last minutes, and those that ``suspect`` named."""
        since = time.monotonic() - _RECENT_SECONDS
        self._written_at = {part: at for part, at in self._written_at.copy().items() if at >= since}
        return set(self._written_at)

    def suspect(self, parts: Iterable[Part]) -> None:
        """Let these partitions count as written to: an earlier producer of the same id may have done so."""
        self._written_at |= dict.fromkeys(parts, time.monotonic())

    def end_in(self, part: Part) -> None:
        """Have the next transaction that is committed end in this partition as well; from any thread."""
        self._ends_due = self._ends_due | {part}

    @property
    def ends_due(self) -> bool:
        """Whether a transaction is wanted for its end alone."""
        return bool(self._ends_due)

    def write_ends(self) -> None:
        """Write a transaction for its end alone; raise as ``commit`` does."""
        self.begin()
        self.commit()

    def close_log(self, inspector: LogInspector, part: Part) -> None:
        """
        Abort what earlier producers of this id have left open in a log that no other id writes to.

        Nobody has read that. Call before the log is read back. Raises FencedError and KafkaException.
        """
        deadline = time.monotonic() + 2 * REQUEST_SECONDS
        while part in (found := inspector.open_transactions([part])):
            if time.monotonic() > deadline:
                raise KafkaException(KafkaError(TIMED_OUT, f"{part[0]}/{part[1]} has an open transaction"))
            log.warning(
                "Transaction aborted: Kafka had left its end out here.",
                topic=part[0],
                partition=part[1],
                offset=found[part],
            )
            self.begin()
            self.produce(part[0], None, END_KEY, part[1])
            self.abort()

    def abort(self) -> None:
        """Write what was produced, then abort the open transaction; raise as ``commit`` does."""
        self._producer.flush(REQUEST_SECONDS)
        try:
            retry(lambda: self._producer.abort_transaction(REQUEST_SECONDS))
        except KafkaException as error:
            self._fail(error)

    def _appended(self, error: KafkaError | None, message: Message) -> None:
        kind, at = message.timestamp()
        if error is None:
            self.appended_offsets.append(message.offset())  # type: ignore[arg-type]  # one that is in the log
            self.appended_at = at if kind == TIMESTAMP_LOG_APPEND_TIME else None

    def _fail(self, error: KafkaException) -> NoReturn:
        reason = error.args[0]
        if reason.code() == FATAL:
            # "Fatal" hides the cause; only aborting names it.
            try:
                self._producer.abort_transaction(REQUEST_SECONDS)
            except KafkaException as abort_error:
                reason = abort_error.args[0]
        if reason.code() == WRONG_STATE:
            # The transaction has failed before; only committing it, which can't be done any more, says why.
            try:
                self._producer.commit_transaction(REQUEST_SECONDS)
            except KafkaException as commit_error:
                reason = commit_error.args[0]
        if reason.code() in FENCED:
            raise FencedError(reason.str()) from error
        if reason.code() in EXPIRED:
            raise ProducerExpiredError(reason.str()) from error
        raise error
