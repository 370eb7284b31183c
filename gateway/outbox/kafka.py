"""
Outbox on Kafka: an idempotent librdkafka producer, a thread that polls it, and one future per request.

librdkafka reports on each record from ``poll``; a request's future is set once, after its last record.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from gateway.metrics import UNCONFIRMED_EVENTS
from gateway.outbox.port import OutboxFullError, OutboxUnavailableError, OutgoingRecord
from schemas.connection import Connection
from schemas.inputs import INPUT_TOPICS
from schemas.producer_settings import DURABLE
from schemas.topics import KEYS_TOPIC, MAX_MESSAGE_BYTES, RAW_TOPIC, Topics

__all__ = ["KafkaOutbox"]

log = structlog.get_logger(__name__)


class _Confirmation:
    """Kafka's confirmation of one request: complete once each of its records has been reported on."""

    def __init__(self, loop: asyncio.AbstractEventLoop, records: int) -> None:
        self.done: asyncio.Future[KafkaError | None] = loop.create_future()
        self._loop = loop
        self._open = records
        self._error: KafkaError | None = None
        self._lock = threading.Lock()

    def report(self, error: KafkaError | None, _message: Message) -> None:
        """Note librdkafka's report on one record; called by the poll thread."""
        self.note(1, error)

    def note(self, records: int, error: KafkaError | None) -> None:
        """Note that so many records are confirmed, or have failed; complete after the last one."""
        with self._lock:
            self._open -= records
            self._error = error or self._error
            last = not self._open
        if last:
            self._loop.call_soon_threadsafe(self.complete, self._error)

    def complete(self, error: KafkaError | None) -> None:
        """Set the future; only the first call counts."""
        if not self.done.done():
            self.done.set_result(error)


class KafkaOutbox:
    """
    Sends records with acks=all and returns when Kafka has confirmed all records of a request.

    ``max_waiting`` bounds the unconfirmed events; a request is always accepted when no other one waits.
    ``timeout_seconds`` is librdkafka's ``message.timeout.ms``: a record that is not confirmed by then is
    dropped by the client, and the request fails.
    """

    def __init__(
        self, connection: Connection, topics: Topics, *, max_waiting: int, timeout_seconds: float
    ) -> None:
        self._topics = topics
        self._max_waiting = max_waiting
        self._timeout = timeout_seconds
        self._config = {
            **DURABLE,
            **connection.librdkafka(),
            "client.id": "bellbuoy-gateway",
            "compression.type": "lz4",
            "linger.ms": 2,
            "message.max.bytes": MAX_MESSAGE_BYTES,
            "message.timeout.ms": max(1, int(timeout_seconds * 1000)),
            "queue.buffering.max.messages": max_waiting + 100_000,
            "reconnect.backoff.max.ms": 1_000,
            "log_level": 2,  # whatever is less than critical comes through the error callback
        }
        self._waiting = 0
        self._producer: Producer | None = None
        self._poller: threading.Thread | None = None
        self._stopping = threading.Event()
        self._away = False

    async def open(self) -> None:
        """Create the producer and its poll thread; Kafka itself may still be away."""
        self._producer = Producer(self._config, error_cb=self._on_error)
        self._stopping = threading.Event()
        self._poller = threading.Thread(
            target=_poll, args=(self._producer, self._stopping), name="gateway-poll", daemon=True
        )
        self._poller.start()

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        """Produce the records and wait until Kafka has confirmed every one."""
        if not records:
            return
        events = sum(record.events for record in records)
        if self._waiting and self._waiting + events > self._max_waiting:
            raise OutboxFullError
        producer = self._producer
        if producer is None:
            raise OutboxUnavailableError("the outbox is not open")
        confirmation = _Confirmation(asyncio.get_running_loop(), len(records))
        self._waiting += events
        UNCONFIRMED_EVENTS.inc(events)
        confirmation.done.add_done_callback(lambda _: self._release(events))
        _produce(producer, records, confirmation)
        await asyncio.wait([confirmation.done], timeout=self._timeout + 1)
        confirmation.complete(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - librdkafka's local codes have no public name
        error = confirmation.done.result()
        if error is not None:
            if error.fatal() and self._producer is producer:
                await self._replace_producer()
            raise OutboxUnavailableError(error.str())
        if self._away:
            self._away = False
            log.info("Kafka is back.")

    async def ready(self) -> str | None:
        """Ask Kafka for its topics, up to 2 s; return what is missing, or ``None``."""
        producer = self._producer
        if producer is None:
            return "the outbox is not open"
        try:
            existing = (await asyncio.to_thread(producer.list_topics, timeout=2)).topics
        except KafkaException as error:
            return f"Kafka at {self._config['bootstrap.servers']} does not answer: {error.args[0].str()}"
        wanted = [
            self._topics.name(topic) for topic in (*INPUT_TOPICS, "events.deadletter", RAW_TOPIC, KEYS_TOPIC)
        ]
        missing = [name for name in wanted if name not in existing]
        return f"topics missing: {', '.join(missing)}" if missing else None

    async def close(self) -> None:
        """Wait up to the delivery timeout for open confirmations, then stop the poll thread."""
        if self._producer is not None and self._poller is not None:
            unconfirmed = await asyncio.to_thread(self._producer.flush, self._timeout)
            self._stopping.set()
            await asyncio.to_thread(self._poller.join)
            if unconfirmed:
                log.warning("Records were not confirmed before the stop.", records=unconfirmed)
        self._producer = self._poller = None

    async def _replace_producer(self) -> None:
        """Open a new producer: after a fatal error, as of idempotence, the old one is useless."""
        log.error("The producer failed for good; a new one takes over.")
        stopping = self._stopping
        await self.open()
        stopping.set()

    def _on_error(self, error: KafkaError) -> None:
        """Log the first error until Kafka confirms again; librdkafka reports every attempt to reconnect."""
        if not self._away or error.fatal():
            self._away = True
            log.warning("Kafka is away.", code=error.name(), error=error.str(), fatal=error.fatal())

    def _release(self, events: int) -> None:
        self._waiting -= events
        UNCONFIRMED_EVENTS.dec(events)


def _produce(producer: Producer, records: Sequence[OutgoingRecord], confirmation: _Confirmation) -> None:
    for index, record in enumerate(records):
        try:
            producer.produce(record.topic, record.value, record.key, on_delivery=confirmation.report)
        except BufferError:
            confirmation.note(len(records) - index, KafkaError(KafkaError._QUEUE_FULL))  # noqa: SLF001 - as above
            return
        except KafkaException as error:
            confirmation.note(len(records) - index, error.args[0])
            return


def _poll(producer: Producer, stopping: threading.Event) -> None:
    while not stopping.is_set():
        producer.poll(0.1)
