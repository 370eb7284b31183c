"""
Outbox on Kafka: an idempotent librdkafka producer that the event loop polls, and one future per request.

librdkafka reports on each record from ``poll``; a request's future is set once, after its last record. The
loop itself polls: a thread that did would fight with it for the interpreter's lock at each record.
"""

from __future__ import annotations

import asyncio
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

_POLL_SECONDS, _IDLE_POLL_SECONDS = 0.001, 0.1
"""Time between polls while a request waits for its confirmation, and while none does."""


class _Confirmation:
    """
    Kafka's confirmation of one request: complete once each of its records has been reported on.

    ``deadline``, a time of the event loop, is when it is given up.
    """

    __slots__ = ("_error", "_open", "deadline", "done")

    def __init__(self, done: asyncio.Future[KafkaError | None], records: int, deadline: float) -> None:
        self.done = done
        self.deadline = deadline
        self._open = records
        self._error: KafkaError | None = None

    def report(self, error: KafkaError | None, _message: Message) -> None:
        """Note librdkafka's report on one record."""
        self.note(1, error)

    def note(self, records: int, error: KafkaError | None) -> None:
        """Note that so many records are confirmed, or have failed; complete after the last one."""
        self._open -= records
        self._error = error or self._error
        if not self._open:
            self.complete(self._error)

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
        self._confirmations: dict[_Confirmation, None] = {}
        self._next_poll: asyncio.TimerHandle | None = None
        self._away = False

    async def open(self) -> None:
        """Create the producer and begin to poll it; Kafka itself may still be away."""
        self._producer = Producer(self._config, error_cb=self._on_error)
        self._poll_after(_IDLE_POLL_SECONDS)

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
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout + 1
        confirmation = _Confirmation(loop.create_future(), len(records), deadline)
        if not self._confirmations:
            self._poll_after(_POLL_SECONDS)
        self._confirmations[confirmation] = None
        self._waiting += events
        UNCONFIRMED_EVENTS.inc(events)
        try:
            _produce(producer, records, confirmation)
            error = await confirmation.done
        finally:
            del self._confirmations[confirmation]
            self._waiting -= events
            UNCONFIRMED_EVENTS.dec(events)
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
        """Wait up to the delivery timeout for open confirmations, then stop polling."""
        producer, loop = self._producer, asyncio.get_running_loop()
        if producer is None:
            return
        deadline = loop.time() + self._timeout
        while len(producer) and loop.time() < deadline:
            producer.poll(0)
            await asyncio.sleep(_POLL_SECONDS)
        if self._next_poll is not None:
            self._next_poll.cancel()
        if len(producer):
            log.warning("Records were not confirmed before the stop.", records=len(producer))
        self._producer = self._next_poll = None

    async def _replace_producer(self) -> None:
        """Open a new producer: after a fatal error, as of idempotence, the old one is useless."""
        log.error("The producer failed for good; a new one takes over.")
        await self.open()

    def _poll_after(self, seconds: float) -> None:
        if self._next_poll is not None:
            self._next_poll.cancel()
        self._next_poll = asyncio.get_running_loop().call_later(seconds, self._poll)

    def _poll(self) -> None:
        """Take librdkafka's reports, and give up what has waited too long for one."""
        producer = self._producer
        if producer is None:
            return
        try:
            producer.poll(0)
            now = asyncio.get_running_loop().time()
            for confirmation in self._confirmations:  # each waits equally long, so the oldest one is first
                if confirmation.deadline > now:
                    break
                confirmation.complete(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - librdkafka's local codes have no public name
        finally:
            self._poll_after(_POLL_SECONDS if self._confirmations else _IDLE_POLL_SECONDS)

    def _on_error(self, error: KafkaError) -> None:
        """Log the first error until Kafka confirms again; librdkafka reports every attempt to reconnect."""
        if not self._away or error.fatal():
            self._away = True
            log.warning("Kafka is away.", code=error.name(), error=error.str(), fatal=error.fatal())


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
