"""
Kafka sink: every health, KPI and alert record, by account, on topics of another cluster.

After a crash a record may stand on a topic twice, with the same version; the newest of a key is the last
one. A deletion is followed by a null, so that a compacted topic forgets the account.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from sinks.kafka.erasure import SubjectRecords, find_records, gone_at
from sinks.kafka.settings import KafkaTargetSettings
from sinks.port import KEPT, Output, Rejected, SinkError, SinkSettingsError, Subject

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
        self._encode: dict[type, Callable[[Any], bytes]]
        self._decode: dict[type, Callable[[bytes], Any]]
        if settings.format == "json":
            self._encode = dict.fromkeys(topics, msgspec.json.encode)
            self._decode = {record: msgspec.json.Decoder(record).decode for record in topics}
        else:
            codecs = {record: codec(name, committed()) for record, name in topics.items()}
            self._encode = {record: each.encode for record, each in codecs.items()}
            self._decode = {record: each.decode for record, each in codecs.items()}
        self._producer: Producer | None = None
        self._retained_until: int | None = 0

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
        self._require_sent(left, failed)

    def erase(self, subject: Subject, /, *, dry_run: bool = False) -> dict[str, int]:
        """
        Write a null after what the topics have of an account; return the records of account or person.

        Only the topics' own retention and compaction remove them (``retained_until``). Raises SinkError.
        """
        seconds, client = self._settings.timeout_seconds, self._client()
        try:
            found = {
                topic: find_records(client, topic, self._decode[record], subject, seconds)
                for record, topic in self._topics.items()
            }
            gone = gone_at(client, {t: f for t, f in found.items() if f.total}, seconds)
            known = self._retained_until
            self._retained_until = None if known is None or gone is None else max(known, gone)
        except KafkaException as error:
            raise SinkError(
                f"{self._settings.bootstrap} can't be read for an erasure: {error.args[0].str()}; "
                "let this client read and describe the topics"
            ) from error
        if not dry_run:
            self._end(found)
        return {"records": sum(each.total for each in found.values())}

    def retained_until(self) -> int | None:
        """Return when all that ``erase`` found so far is gone, UTC milliseconds; ``None``: never."""
        return self._retained_until

    def _end(self, found: Mapping[str, SubjectRecords]) -> None:
        failed: list[tuple[int, KafkaError]] = []
        producer = self._connected()
        for topic, records in found.items():
            for key in records.keys:
                self._produce(producer, 0, topic, key, None, failed)
        self._require_sent(producer.flush(self._settings.timeout_seconds), failed)

    def _require_sent(self, left: int, failed: Sequence[tuple[int, KafkaError]]) -> None:
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
            milliseconds = int(self._settings.timeout_seconds * 900)
            try:
                self._producer = Producer(
                    {
                        "compression.type": "lz4",
                        **self._client(),
                        **DURABLE,
                        "linger.ms": 5,
                        "message.timeout.ms": milliseconds,
                        "request.timeout.ms": milliseconds,
                    }
                )
            except KafkaException as error:
                raise SinkSettingsError(
                    f"kafka_target.client: {error.args[0].str()}: correct the key"
                ) from error
        return self._producer

    def _client(self) -> dict[str, Any]:
        return {
            **{name: secret.get_secret_value() for name, secret in self._settings.client.items()},
            "bootstrap.servers": self._settings.bootstrap,
            "client.id": "bellbuoy-deliver-kafka_target",
            "log_level": 0,
        }

    def _away(self, error: KafkaError) -> SinkError:
        return SinkError(f"{self._settings.bootstrap} doesn't take records: {error.str()}")
