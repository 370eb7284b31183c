"""How every client of the broker is held: producers with one transaction, and reads of a log's end."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple, NoReturn, TypeVar, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from schemas.producer_settings import DURABLE
from schemas.topics import MAX_DEAD_LETTER_BYTES

__all__ = [
    "LEADERLESS",
    "PATIENT",
    "FencedError",
    "Record",
    "Transactions",
    "ends",
    "leave",
    "read_to_end",
    "record",
    "tail",
    "watermarks",
]

T = TypeVar("T")

_TIMEOUT = 30.0
PATIENT: dict[str, int] = {"reconnect.backoff.max.ms": 1_000, "log_level": 2}
"""For clients whose calls raise what matters: each failed attempt to reconnect would be a line in the log."""
LEADERLESS = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001 - of a topic that is known
}
"""What a topic made just now, or a broker just come back, may answer for a moment."""
_FENCED = {
    KafkaError._FENCED,  # noqa: SLF001 - librdkafka's local codes have no public name
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
}


class Record(NamedTuple):
    """One record as read, free of librdkafka's optional types."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def record(message: Message) -> Record:
    """Return what an error-free message holds."""
    headers = cast("list[tuple[str, bytes | None]] | None", message.headers())
    return Record(
        cast("str", message.topic()),
        cast("int", message.partition()),
        cast("int", message.offset()),
        message.key(),
        message.value(),
        [(name, value or b"") for name, value in headers] if headers else [],
    )


class FencedError(Exception):
    """Another process owns this partition now; nothing of the open transaction will be seen."""


class Transactions:
    """
    One transactional producer, of one partition.

    The transactional id belongs to the partition, so that opening it ends a dead owner's open
    transaction at once and shuts a zombie out.
    """

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
                **PATIENT,
            }
        )
        try:
            self._producer.init_transactions(_TIMEOUT)
        except (
            KafkaException
        ) as error:  # of two that begin at once, one may be fenced before it has its answer
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
    ) -> None:
        """
        Add a record to the open transaction; waits for room when the buffer is full.

        Raises FencedError and KafkaException as ``commit`` does: the broker may have said no meanwhile.
        """
        while True:
            try:
                self._producer.produce(topic, value, key, partition, headers=list(headers))
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                self._fail(error)
            else:
                return

    def commit(self) -> None:
        """
        Commit the open transaction.

        Raises FencedError when another process has taken the partition over and KafkaException for
        anything that a restart must clear up.
        """
        try:
            _retry(lambda: self._producer.commit_transaction(_TIMEOUT))
        except KafkaException as error:
            self._fail(error)

    def _fail(self, error: KafkaException) -> NoReturn:
        reason = error.args[0]
        if reason.code() == KafkaError._FATAL:  # noqa: SLF001 - says only that nothing works any more
            try:
                self._producer.abort_transaction(_TIMEOUT)
            except KafkaException as told:
                reason = told.args[0]
        if reason.code() in _FENCED:
            raise FencedError(reason.str()) from error
        raise error


def _retry(
    call: Callable[[], T], passing: Container[int] = (), before_again: Callable[[], object] = lambda: None
) -> T:
    """Return what the call returns; repeat it while its error says that it may pass."""
    deadline = time.monotonic() + 2 * _TIMEOUT
    while True:
        try:
            return call()
        except KafkaException as error:
            reason = error.args[0]
            if not (reason.retriable() or reason.code() in passing) or time.monotonic() > deadline:
                raise
        if passing:
            time.sleep(0.1)
            before_again()


def leave(consumer: Consumer, seconds: float = 5.0) -> None:
    """
    Leave the consumer group, then close the consumer.

    Partitions are given back first, within *seconds*: librdkafka may wait for ever for an answer when a
    rebalance meets its closing, and keeps every thread of Python waiting with it
    (https://github.com/confluentinc/librdkafka/issues/4041).
    """
    deadline = time.monotonic() + seconds
    with suppress(KafkaException):
        consumer.unsubscribe()
        while time.monotonic() < deadline:
            if consumer.poll(0.1) is None and not consumer.assignment():
                break
    consumer.close()


def watermarks(reader: Consumer, partition: TopicPartition) -> tuple[int, int]:
    """Return the first offset and the end of a partition; it may have no leader yet, or not just now."""

    def look_again() -> None:
        # Once librdkafka has heard that a partition is unknown it believes so for minutes.
        with suppress(KafkaException):
            reader.list_topics(partition.topic, timeout=_TIMEOUT)

    return _retry(lambda: reader.get_watermark_offsets(partition, timeout=_TIMEOUT), LEADERLESS, look_again)


def ends(bootstrap: str, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    """Return where these partitions of a topic end, by their number."""
    reader = _reader(bootstrap)
    try:
        return {number: watermarks(reader, TopicPartition(topic, number))[1] for number in partitions}
    finally:
        reader.close()


def _reader(bootstrap: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bellbuoy-reader",  # assigned by hand: the group never exists on the broker
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
            "fetch.message.max.bytes": 4_000_000,
            "queued.min.messages": 100_000,
            **PATIENT,
        }
    )


def read_to_end(bootstrap: str, starts: Sequence[TopicPartition]) -> Iterator[Record]:
    """Yield every committed record of these partitions, from the offsets given to the present end."""
    if not starts:
        return
    consumer = _reader(bootstrap)
    try:
        consumer.assign(list(starts))
        unfinished = {(start.topic, start.partition) for start in starts}
        silent_since = time.monotonic()
        while unfinished:
            first = consumer.poll(0.1)  # consume() would wait for the full number, the end notwithstanding
            messages = [] if first is None else [first, *consumer.consume(10_000, 0)]
            if messages:
                silent_since = time.monotonic()
            elif time.monotonic() - silent_since > 2 * _TIMEOUT:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "the log's end did not come"))  # noqa: SLF001
            for message in messages:
                error = message.error()
                if error is None:
                    yield record(message)
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                    unfinished.discard((message.topic(), message.partition()))
                else:
                    raise KafkaException(error)
    finally:
        consumer.close()


def tail(bootstrap: str, topic: str, partition: int) -> Record | None:
    """Return the last committed record of a partition, or ``None`` when it holds none."""
    consumer = _reader(bootstrap)
    try:
        low, high = watermarks(consumer, TopicPartition(topic, partition))
    finally:
        consumer.close()
    back = 16
    while high > low:
        start = max(low, high - back)
        last = None
        for last in read_to_end(bootstrap, [TopicPartition(topic, partition, start)]):  # noqa: B007
            pass
        if last is not None or start == low:
            return last
        back *= 8
    return None
