"""
Kafka sink: every health, KPI and alert record, by account, on topics of another cluster.

After a crash a record may stand on a topic twice, with the same version; the newest of a key is the last
one. A deletion is followed by a null, so that a compacted topic forgets the account.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.codec.errors import SchemaError
from schemas.codec.record_codec import RECORDS, codec
from schemas.codec.registry import committed
from schemas.identity.keys import account_key
from schemas.producer_settings import DURABLE
from schemas.records import AccountHealth, AccountKpis
from sinks.finite import not_finite
from sinks.kafka.settings import KafkaTargetSettings
from sinks.port import KEPT, Output, Rejected, SinkError, SinkSettingsError

__all__ = ["KafkaSink"]

_NEVER = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD, KafkaError._INVALID_ARG})  # noqa: SLF001
"""Errors that are a verdict on the record."""


class KafkaSink:
    """Sink of records on the topics of another cluster; see docs/sinks/kafka.md."""

    name = "kafka_target"
    records = KEPT

    def __init__(self, settings: KafkaTargetSettings) -> None:
        self._settings = settings
        topics = {record: topic for topic, record in RECORDS.items() if record in self.records}
        self._topics: dict[type, str] = {
            record: settings.topic_prefix + name for record, name in topics.items()
        }
        self._encode: dict[type, Callable[[Any], bytes]] = (
            dict.fromkeys(topics, msgspec.json.encode)
            if settings.format == "json"
            else {record: codec(name, committed()).encode for record, name in topics.items()}
        )
        self._producer: Producer | None = None

    def open(self) -> None:
        """Connect and ask for every topic; raise SinkError and SinkSettingsError."""
        producer = self._connected()
        for topic in self._topics.values():
            try:
                found = producer.list_topics(topic, timeout=self._settings.timeout_seconds / 2).topics[topic]
            except KafkaException as error:
                raise self._away(error.args[0]) from error
            if found.error is not None:
                raise SinkError(
                    f"{self._settings.bootstrap}: topic {topic}: {found.error.str()}; create it, or let this "
                    "client use it"
                )

    def write(self, batch: Sequence[Output], /) -> None:
        """Return once every record is on its topic; raise SinkError and Rejected."""
        values = [self._encoded(index, record) for index, record in enumerate(batch)]
        failed: list[tuple[int, KafkaError]] = []
        producer = self._connected()
        for index, record in enumerate(batch):
            key = account_key(record.tenant, record.account_id)  # type: ignore[union-attr]
            self._produce(producer, index, self._topics[type(record)], key, values[index], failed)
            if isinstance(record, AccountHealth | AccountKpis) and record.deleted:
                self._produce(producer, index, self._topics[type(record)], key, None, failed)
        left = producer.flush(self._settings.timeout_seconds)
        for index, error in failed:
            if error.code() in _NEVER:
                raise Rejected(index, error.str())
        if left or failed:
            self.close()
            raise self._away(failed[0][1] if failed else KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001

    def close(self) -> None:
        """Drop the producer and what it has not sent: it is offered again."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
            producer.flush(0)

    def _encoded(self, index: int, record: Output) -> bytes:
        fault = not_finite(record) if self._settings.format == "json" else None
        if fault is not None:
            raise Rejected(index, fault)
        try:
            return self._encode[type(record)](record)
        except SchemaError as error:
            raise Rejected(index, str(error)) from error

    def _produce(
        self,
        producer: Producer,
        index: int,
        topic: str,
        key: bytes,
        value: bytes | None,
        failed: list[tuple[int, KafkaError]],
    ) -> None:
        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failed.append((index, error))

        try:
            producer.produce(topic, value, key, on_delivery=delivered)
        except BufferError:
            producer.flush(self._settings.timeout_seconds)
            try:
                producer.produce(topic, value, key, on_delivery=delivered)
            except BufferError as error:
                self.close()
                raise self._away(KafkaError(KafkaError._QUEUE_FULL)) from error  # noqa: SLF001
        except KafkaException as error:
            failed.append((index, error.args[0]))

    def _connected(self) -> Producer:
        if self._producer is None:
            own = {name: secret.get_secret_value() for name, secret in self._settings.client.items()}
            milliseconds = int(self._settings.timeout_seconds * 900)
            try:
                self._producer = Producer(
                    {
                        **own,
                        **DURABLE,
                        "bootstrap.servers": self._settings.bootstrap,
                        "client.id": "bellbuoy-deliver-kafka_target",
                        "linger.ms": 5,
                        "compression.type": own.get("compression.type", "lz4"),
                        "message.timeout.ms": milliseconds,
                        "request.timeout.ms": milliseconds,
                        "log_level": 0,
                    }
                )
            except KafkaException as error:
                raise SinkSettingsError(
                    f"kafka_target.client: {error.args[0].str()}: correct the key"
                ) from error
        return self._producer

    def _away(self, error: KafkaError) -> SinkError:
        return SinkError(f"{self._settings.bootstrap} doesn't take records: {error.str()}")
