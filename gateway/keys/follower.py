"""The follower of the topic ``gateway.keys``: what is written there opens, or closes, within a second."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import msgspec
import structlog
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from schemas.connection import Connection
from schemas.identity.write_keys import WriteKey, decode_key
from schemas.topics import KEYS_TOPIC, Topics

__all__ = ["KeyFollower"]

log = structlog.get_logger(__name__)

_POLL_SECONDS = 0.2


class KeyFollower:
    """
    A thread that reads the keys, and goes on reading.

    ``replaced`` is called with all keys whenever one has changed, once every partition was read to its end;
    it is called from the thread. While Kafka is away, the keys of before go on.
    """

    def __init__(
        self, connection: Connection, topics: Topics, replaced: Callable[[Iterable[WriteKey]], None]
    ) -> None:
        self._topic = topics.name(KEYS_TOPIC)
        self._parts = [TopicPartition(self._topic, number, 0) for number in range(topics.partitions)]
        self._unread = set(range(topics.partitions))
        self._replaced = replaced
        self._keys: dict[bytes, WriteKey] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gateway-keys", daemon=True)
        self._config = {
            **connection.librdkafka(),
            "client.id": "bellbuoy-gateway-keys",
            "group.id": "bellbuoy-reader",  # assigned by hand: the group never exists on the broker
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "reconnect.backoff.max.ms": 1_000,
            "log_level": 2,
        }

    def start(self) -> None:
        """Start to read; Kafka may still be away."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        consumer = Consumer(self._config, error_cb=lambda _: None)  # the outbox says that Kafka is away
        consumer.assign(self._parts)
        try:
            while not self._stopping.is_set():
                first = consumer.poll(_POLL_SECONDS)
                if first is not None:
                    self._take([first, *consumer.consume(10_000, 0)])
        finally:
            consumer.close()

    def _take(self, messages: list[Message]) -> None:
        changed, was_unread = False, bool(self._unread)
        for message in messages:
            error, key, value = message.error(), message.key(), message.value()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's local codes have no public name
                    self._unread.discard(message.partition() or 0)
            elif key is not None:
                changed = True
                self._keep(key, value)
        if not self._unread and (changed or was_unread):
            self._replaced(list(self._keys.values()))

    def _keep(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self._keys.pop(key, None)
            return
        try:
            self._keys[key] = decode_key(value)
        except msgspec.DecodeError as error:
            self._keys.pop(key, None)
            log.warning(
                "A record of the keys is not one, and opens nothing.", topic=self._topic, error=str(error)
            )
