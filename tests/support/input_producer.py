"""Producer of input records, as a product team's Kafka producer writes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from confluent_kafka import Producer

from schemas.codec.envelope import Envelopes
from schemas.codec.record_codec import codec
from schemas.connection import Connection
from schemas.identity.keys import account_key, partition_of
from schemas.producer_settings import DURABLE
from schemas.records import UsageEvent
from schemas.topics import Topics


def usage(number: int, account: str, at: int, **changes: Any) -> UsageEvent:
    """Return a usage event of tenant acme; *number* makes its id, its user and its feature."""
    fields = {
        "event_id": f"e{number}",
        "tenant": "acme",
        "account_id": account,
        "source": "test",
        "occurred_at": at,
        "received_at": at,
        "user_id": f"u{number % 7}",
        "name": "Report Exported",
        "feature": f"f{number % 5}",
        "duration_ms": 10,
    }
    return UsageEvent(**(fields | changes))


class InputProducer:
    """Writes input records to the topics of one deployment."""

    def __init__(self, bootstrap: Connection, topics: Topics) -> None:
        self._topics = topics
        self._producer = Producer(
            {
                **DURABLE,
                **bootstrap.librdkafka(),
                "linger.ms": 5,
                "queue.buffering.max.messages": 500_000,
            }
        )

    def send(self, topic: str, events: Iterable[Any]) -> int:
        """Write events to their accounts' partitions, wait for Kafka, and return how many they are."""
        encode, name, count = codec(topic).encode, self._topics.name(topic), 0
        for event in events:
            self.raw(topic, encode(event), account_key(event.tenant, event.account_id), name=name)
            count += 1
        self.flush()
        return count

    def pack(self, events: Iterable[UsageEvent], each: int = 100) -> None:
        """Write usage in envelopes of so many events, as a producer that packs them does."""
        encode, partitions = codec("usage.events").encode, defaultdict(list)
        for event in events:
            key = account_key(event.tenant, event.account_id)
            partitions[partition_of(key, self._topics.partitions)].append((key, encode(event)))
        for waiting in partitions.values():
            for at in range(0, len(waiting), each):
                key, _ = waiting[at]
                for value, _ in Envelopes().pack(value for _, value in waiting[at : at + each]):
                    self.raw("usage.events", value, key)
        self.flush()

    def raw(
        self, topic: str, value: bytes, key: bytes | None = None, partition: int = -1, name: str | None = None
    ) -> None:
        """Write a record as it is; partition -1: by its key."""
        while True:
            try:
                self._producer.produce(name or self._topics.name(topic), value, key, partition)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def flush(self) -> None:
        assert self._producer.flush(60) == 0
