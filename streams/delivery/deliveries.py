"""
Store of a channel's deliveries on a compacted topic, so that a restart tells nobody twice.

A record is keyed by channel and notification, and the topic forgets what is older than its retention.
docs/adr/0020-deliveries-are-on-a-compacted-topic.md says why it is Kafka and no other store.
"""

from __future__ import annotations

from contextlib import suppress

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer

from schemas.connection import Connection
from schemas.producer_settings import DURABLE
from schemas.topics import Topics
from sinks.notify.delivery import DeliveryStatus
from sinks.notify.port import TemporaryError
from streams.kafka.client_settings import RECONNECT_QUIETLY
from streams.kafka.compacted_topic import CompactedTopicFollower

__all__ = ["KafkaDeliveryStore"]

_SECONDS = 10.0
"""How long Kafka may take to confirm."""


class KafkaDeliveryStore:
    """
    Store of one channel's deliveries.

    Members of the channel's group share it: what one of them stored, the others know once they caught up. All
    that the topic holds of the channel is kept in memory, about 300 bytes a notification.
    """

    def __init__(self, connection: Connection, topics: Topics, channel: str) -> None:
        self._topic = topics.name("alert.deliveries")
        self._channel = channel.encode() + b"/"
        self._deliveries: dict[str, DeliveryStatus] = {}
        self._messages: dict[str, str] = {}
        self._producer = Producer(
            {
                **connection.librdkafka(),
                **RECONNECT_QUIETLY,
                **DURABLE,
                "linger.ms": 0,
                "message.timeout.ms": int(_SECONDS * 1000),
            }
        )
        self._follower = CompactedTopicFollower(connection, self._topic, topics.partitions, self._take)

    def catch_up(self) -> None:
        """Read the topic to its present end; raise TemporaryError while Kafka is away."""
        try:
            self._follower.catch_up()
        except KafkaException as error:
            raise TemporaryError(f"the deliveries can't be read: {error.args[0].str()}") from error

    def get(self, dedup_key: str, /) -> DeliveryStatus | None:
        """Return the delivery, or ``None``."""
        return self._deliveries.get(dedup_key)

    def message_id(self, thread: str, /) -> str | None:
        """Return the id of the newest message that was delivered about this."""
        return self._messages.get(thread)

    def put(self, delivery: DeliveryStatus, /) -> None:
        """Return once Kafka has confirmed the delivery; raise TemporaryError."""
        failures: list[KafkaError] = []

        def confirmed(error: KafkaError | None, _: object) -> None:
            if error is not None:
                failures.append(error)

        key = self._channel + delivery.dedup_key.encode()
        self._producer.produce(self._topic, msgspec.json.encode(delivery), key, on_delivery=confirmed)
        waiting = self._producer.flush(_SECONDS)
        if waiting or failures:
            why = failures[0].str() if failures else "no answer"
            raise TemporaryError(f"Kafka didn't confirm a delivery: {why}")
        self._keep(delivery)

    def close(self) -> None:
        """Close the clients."""
        self._follower.close()

    def _take(self, key: bytes, value: bytes | None) -> None:
        if value is None or not key.startswith(self._channel):
            return
        with suppress(msgspec.DecodeError):  # not ours
            self._keep(msgspec.json.decode(value, type=DeliveryStatus))

    def _keep(self, delivery: DeliveryStatus) -> None:
        self._deliveries[delivery.dedup_key] = delivery
        if delivery.state == "success" and delivery.message_id is not None:
            self._messages[delivery.thread] = delivery.message_id
