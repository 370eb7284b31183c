"""Carrier straight to Kafka, past the gateway: Avro records on the input topics, for load."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from confluent_kafka import KafkaException, Producer

from bellbuoy.simulator.wire.carrier import CarrierError, Receipt
from bellbuoy.simulator.world.delivery import Delivery, topic_of
from bellbuoy.times import now
from schemas.identity.keys import account_key
from schemas.inputs import INPUT_TOPICS
from schemas.producer_settings import DURABLE
from schemas.records import InputEvent
from streams.kafka.cluster import Cluster

__all__ = ["BAD_REASONS", "DirectCarrier"]

BAD_REASONS = {"no_account": "invalid", "wrong_type": "undecodable", "bad_time": "unknown_schema"}
"""The dead-letter reason that each kind of broken record must get."""

_TIMEOUT_SECONDS = 60.0
_PROBE_SECONDS = 10.0
_UNKNOWN_SCHEMA = b"\0\x7f\xff\xff\xff"


class DirectCarrier:
    """
    A producer of all input topics; ``deliver`` returns once every record is acknowledged by all replicas.

    Raises CarrierError when Kafka refuses a record or takes longer than a minute.
    """

    bad_reasons: Mapping[str, str] = BAD_REASONS

    def __init__(self, cluster: Cluster, tenant: str) -> None:
        self._connection, self._tenant = cluster.connection, tenant
        self._names = {topic: cluster.topics.name(topic) for topic in INPUT_TOPICS}
        self._codecs = {topic: cluster.codec(topic) for topic in INPUT_TOPICS}
        self._failures: list[str] = []
        self._producer = Producer(
            {
                **DURABLE,
                **self._connection.librdkafka(),
                "compression.type": "lz4",
                "linger.ms": 5,
                "batch.num.messages": 10_000,
                "queue.buffering.max.messages": 500_000,
                "delivery.timeout.ms": int(_TIMEOUT_SECONDS * 1000),
                "log_level": 0,
            }
        )

    async def probe(self) -> None:
        """Raise CarrierError when Kafka does not answer."""
        try:
            await asyncio.to_thread(self._producer.list_topics, timeout=_PROBE_SECONDS)
        except KafkaException as error:
            raise CarrierError(
                f"Kafka doesn't answer on {self._connection} ({error.args[0].str()}): start it, "
                "or correct kafka.bootstrap (BELLBUOY_KAFKA__BOOTSTRAP)"
            ) from None

    async def deliver(self, deliveries: Sequence[Delivery]) -> Receipt:
        """Produce every delivery and wait for Kafka, in a thread of its own."""
        return await asyncio.to_thread(self.deliver_now, deliveries)

    def deliver_now(self, deliveries: Sequence[Delivery]) -> Receipt:
        """Produce every delivery; return once all are acknowledged."""
        received_at = now()
        for delivery in deliveries:
            topic = topic_of(delivery.event)
            key, value = self._record(topic, delivery, received_at)
            self._produce(self._names[topic], key, value)
        left = self._producer.flush(_TIMEOUT_SECONDS)
        if left or self._failures:
            reason = self._failures[0] if self._failures else "not acknowledged in time"
            raise CarrierError(
                f"Kafka on {self._connection} did not take {left or len(self._failures)} events: {reason}"
            )
        return Receipt(accepted=len(deliveries))

    async def close(self) -> None:
        """Do nothing: ``deliver`` leaves nothing behind."""

    def _record(self, topic: str, delivery: Delivery, received_at: int) -> tuple[bytes, bytes]:
        account = "" if delivery.bad == "no_account" else delivery.event.account_id
        event: InputEvent = msgspec.structs.replace(
            delivery.event, tenant=self._tenant, account_id=account, received_at=received_at
        )
        value = self._codecs[topic].encode(event)
        if delivery.bad == "wrong_type":
            value = value[:-3]
        elif delivery.bad == "bad_time":
            value = _UNKNOWN_SCHEMA + value[5:]
        return account_key(self._tenant, delivery.event.account_id), value

    def _produce(self, topic: str, key: bytes, value: bytes) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=self._delivered)
            except BufferError:
                self._producer.poll(0.05)
            else:
                return

    def _delivered(self, error: Any, _: Any) -> None:
        if error is not None:
            self._failures.append(error.str())
