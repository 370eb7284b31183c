"""A transactional Kafka producer that belongs to one partition and fences its earlier owners."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NoReturn

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException, Message, Producer

from schemas.producer_settings import DURABLE
from schemas.topics import MAX_DEAD_LETTER_BYTES
from streams.kafka.client_settings import RECONNECT_QUIETLY
from streams.kafka.errors import EXPIRED, FATAL, FENCED, WRONG_STATE, FencedError, ProducerExpiredError
from streams.kafka.retry import REQUEST_SECONDS, retry

__all__ = ["TransactionalProducer"]

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
    """When the broker took the last timed record, UTC milliseconds by its clock; ``None``: it didn't say."""

    def __init__(self, bootstrap: str, transactional_id: str) -> None:
        self._producer = Producer(
            {
                **DURABLE,
                "bootstrap.servers": bootstrap,
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
        try:
            self._producer.begin_transaction()
        except KafkaException as error:
            self._fail(error)

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        headers: Sequence[tuple[str, bytes]] = (),
        *,
        timed: bool = False,
    ) -> None:
        """
        Add a record to the open transaction; wait for room while the client's buffer is full.

        ``timed`` records set ``appended_at`` once the broker has them, where their topic keeps its times.
        Raises FencedError and KafkaException as ``commit`` does: the broker may have refused meanwhile.
        """
        while True:
            try:
                self._producer.produce(
                    topic, value, key, partition, self._appended if timed else None, headers=list(headers)
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
        try:
            retry(lambda: self._producer.commit_transaction(REQUEST_SECONDS))
        except KafkaException as error:
            self._fail(error)
        self._producer.poll(0)  # what the broker has said of timed records

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
