"""
The outbox on Kafka: an idempotent librdkafka producer, a poll thread, one future per request.

librdkafka calls back per record from ``poll``; a request's future is woken once, after its last record.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from gateway.metrics import WAITING
from gateway.outbox.port import OutboxFullError, OutboxUnavailableError, OutgoingRecord
from schemas.inputs import INPUT_TOPICS
from schemas.producer_settings import DURABLE
from schemas.topics import MAX_MESSAGE_BYTES, Topics

__all__ = ["KafkaOutbox"]

log = structlog.get_logger(__name__)


class _Delivery:
    """The records of one request that Kafka has not yet confirmed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, records: int) -> None:
        self.done: asyncio.Future[KafkaError | None] = loop.create_future()
        self._loop = loop
        self._left = records
        self._error: KafkaError | None = None
        self._lock = threading.Lock()

    def confirm(self, error: KafkaError | None, _message: Message) -> None:
        """Take librdkafka's report on one record; called by the poll thread."""
        self.count(1, error)

    def count(self, records: int, error: KafkaError | None) -> None:
        """Note that so many records are settled; wake the request after the last."""
        with self._lock:
            self._left -= records
            self._error = error or self._error
            last = not self._left
        if last:
            self._loop.call_soon_threadsafe(self.settle, self._error)

    def settle(self, error: KafkaError | None) -> None:
        """End the wait; only the first call counts."""
        if not self.done.done():
            self.done.set_result(error)


class KafkaOutbox:
    """
    Send records with acks=all and answer when all of a request's are confirmed.

    ``max_waiting`` bounds the unconfirmed events; a request is always taken when none waits.
    ``timeout_seconds`` is librdkafka's ``message.timeout.ms``: after it a record is given up, for good.
    """

    def __init__(self, bootstrap: str, topics: Topics, *, max_waiting: int, timeout_seconds: float) -> None:
        self._topics = topics
        self._max_waiting = max_waiting
        self._timeout = timeout_seconds
        self._config = {
            **DURABLE,
            "bootstrap.servers": bootstrap,
            "client.id": "bellbuoy-gateway",
            "compression.type": "lz4",
            "linger.ms": 2,
            "message.max.bytes": MAX_MESSAGE_BYTES,
            "message.timeout.ms": max(1, int(timeout_seconds * 1000)),
            "queue.buffering.max.messages": max_waiting + 100_000,
            "reconnect.backoff.max.ms": 1_000,
            "log_level": 2,  # lesser troubles come through the error callback
        }
        self._waiting = 0
        self._producer: Producer | None = None
        self._poller: threading.Thread | None = None
        self._stopping = threading.Event()
        self._troubled = False

    async def open(self) -> None:
        """Create the producer and its poll thread; Kafka itself may still be away."""
        self._producer = Producer(self._config, error_cb=self._report)
        self._stopping = threading.Event()
        self._poller = threading.Thread(
            target=_poll, args=(self._producer, self._stopping), name="gateway-poll", daemon=True
        )
        self._poller.start()

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        """Produce the records and wait for Kafka to confirm every one."""
        if not records:
            return
        events = sum(record.events for record in records)
        if self._waiting and self._waiting + events > self._max_waiting:
            raise OutboxFullError
        producer = self._producer
        if producer is None:
            raise OutboxUnavailableError("the outbox is not open")
        delivery = _Delivery(asyncio.get_running_loop(), len(records))
        self._waiting += events
        WAITING.inc(events)
        delivery.done.add_done_callback(lambda _: self._settle(events))
        _produce(producer, records, delivery)
        await asyncio.wait([delivery.done], timeout=self._timeout + 1)
        delivery.settle(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - librdkafka's local codes have no public name
        error = delivery.done.result()
        if error is not None:
            if error.fatal() and self._producer is producer:
                await self._replace()
            raise OutboxUnavailableError(error.str())
        if self._troubled:
            self._troubled = False
            log.info("Kafka confirms again")

    async def ready(self) -> str | None:
        """Ask Kafka for its topics, up to 2 s; name what is missing."""
        producer = self._producer
        if producer is None:
            return "the outbox is not open"
        try:
            found = (await asyncio.to_thread(producer.list_topics, timeout=2)).topics
        except KafkaException as error:
            return f"Kafka at {self._config['bootstrap.servers']} does not answer: {error.args[0].str()}"
        wanted = [self._topics.name(topic) for topic in (*INPUT_TOPICS, "events.deadletter")]
        missing = [name for name in wanted if name not in found]
        return f"topics missing: {', '.join(missing)}" if missing else None

    async def close(self) -> None:
        """Wait up to the delivery timeout for open confirmations, then stop the poll thread."""
        if self._producer is not None and self._poller is not None:
            left = await asyncio.to_thread(self._producer.flush, self._timeout)
            self._stopping.set()
            await asyncio.to_thread(self._poller.join)
            if left:
                log.warning("records were not confirmed before the stop", records=left)
        self._producer = self._poller = None

    async def _replace(self) -> None:
        """Take a new producer: a fatal error, as a lost idempotence state, leaves the old one useless."""
        log.error("the producer failed for good; a new one takes over")
        stopping = self._stopping
        await self.open()
        stopping.set()

    def _report(self, error: KafkaError) -> None:
        """Log the first of a row of troubles; librdkafka tells of every attempt to reconnect."""
        if not self._troubled or error.fatal():
            self._troubled = True
            log.warning("Kafka is in trouble", code=error.name(), reason=error.str(), fatal=error.fatal())

    def _settle(self, events: int) -> None:
        self._waiting -= events
        WAITING.dec(events)


def _produce(producer: Producer, records: Sequence[OutgoingRecord], delivery: _Delivery) -> None:
    for index, record in enumerate(records):
        try:
            producer.produce(record.topic, record.value, record.key, on_delivery=delivery.confirm)
        except BufferError:
            delivery.count(len(records) - index, KafkaError(KafkaError._QUEUE_FULL))  # noqa: SLF001 - as above
            return
        except KafkaException as error:
            delivery.count(len(records) - index, error.args[0])
            return


def _poll(producer: Producer, stopping: threading.Event) -> None:
    while not stopping.is_set():
        producer.poll(0.1)
