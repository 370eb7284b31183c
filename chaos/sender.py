"""Sender of a company's days: usage to Kafka, other events to the gateway, with disorder if asked."""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from chaos.company import Day
from schemas.codec.envelope import Envelopes
from schemas.codec.record_codec import codec
from schemas.connection import Connection
from schemas.identity.keys import account_key, partition_of
from schemas.inputs import INPUT_TOPICS
from schemas.producer_settings import DURABLE
from schemas.topics import Topics

__all__ = ["NotAcceptedError", "Sender"]

_HEADERS = {
    "Authorization": "Basic " + base64.b64encode(b"demo-server-key:").decode(),
    "Content-Type": "application/json",
}
_PATIENCE_SECONDS = 120.0
_EVENTS_PER_REQUEST = 500


class NotAcceptedError(Exception):
    """Events were not accepted within two minutes, or were refused; the message says which and why."""


@dataclass(slots=True)
class Sender:
    """
    Sends events as a product team's producer and HTTP client do: with the same id until they are accepted.

    With ``disorder``, events are shuffled, one in fifty is sent twice and one in a hundred to a wrong
    partition; the poison of a day is random bytes on every input. ``poisoned`` counts those, ``probes`` the
    probes; each of both must become a dead letter.
    """

    connection: Connection
    topics: Topics
    gateway_port: int
    disorder: random.Random | None = None
    poisoned: int = 0
    probes: int = 0
    _refused: list[str] = field(default_factory=list)
    _producer: Producer = field(init=False)

    def __post_init__(self) -> None:
        self._producer = Producer(
            {
                **DURABLE,
                **self.connection.librdkafka(),
                "linger.ms": 5,
                "compression.type": "lz4",
                "message.timeout.ms": int(1000 * _PATIENCE_SECONDS),
                "queue.buffering.max.messages": 500_000,
                "log_level": 0,
            }
        )

    def send(self, day: Day, seconds: float, *, poison: bool = False) -> None:
        """Send a day's events, spread over so many seconds; raise NotAcceptedError."""
        began = time.monotonic()
        usage, chance = list(day.usage), self.disorder
        if chance is not None:
            usage += chance.sample(usage, len(usage) // 50)
            chance.shuffle(usage)
        encode, name = codec("usage.events").encode, self.topics.name("usage.events")
        waiting = [(topic, events) for topic, events in day.typed.items() if events]
        parts = 20
        for part in range(parts):
            for event in usage[len(usage) * part // parts : len(usage) * (part + 1) // parts]:
                key = account_key(event.tenant, event.account_id)
                partition = partition_of(key, self.topics.partitions)
                if chance is not None and chance.random() < 0.01:
                    partition = chance.randrange(self.topics.partitions)
                self._produce(name, encode(event), key, partition)
            if poison and part == parts // 2:
                self._poison()
            if part < len(waiting):
                self._post(*waiting[part])
            time.sleep(max(0.0, began + seconds * (part + 1) / parts - time.monotonic()))
        for topic, events in waiting[parts:]:
            self._post(topic, events)
        self._flush()

    def _flush(self) -> None:
        left = self._producer.flush(_PATIENCE_SECONDS)
        if self._refused:
            raise NotAcceptedError(f"Kafka refused {len(self._refused)} records: {self._refused[0]}")
        if left:
            raise NotAcceptedError(f"Kafka did not accept {left} records within {_PATIENCE_SECONDS:.0f} s")

    def send_first(self, day: Day, settle: Callable[[], None]) -> None:
        """
        Send the first day, each account's usage in one record; *settle* waits until all of it is processed.

        Otherwise a new account's first scores would depend on which of its events came first.
        """
        for topic, events in day.typed.items():
            self._post(topic, events)
        settle()
        encode, name, packed = codec("usage.events").encode, self.topics.name("usage.events"), Envelopes()
        accounts: dict[bytes, list[bytes]] = {}
        for event in day.usage:
            accounts.setdefault(account_key(event.tenant, event.account_id), []).append(encode(event))
        for key, values in accounts.items():
            for value, _ in packed.pack(values):
                self._produce(name, value, key, partition_of(key, self.topics.partitions))
        self._flush()

    def probe(self) -> None:
        """Send every partition a record that passes through without changing any account: a broken one."""
        for partition in range(self.topics.partitions):
            self._produce(self.topics.name("usage.events"), b"probe", b"probe", partition)
            self.probes += 1
        self._producer.poll(0)

    def _poison(self) -> None:
        assert self.disorder is not None
        for topic in INPUT_TOPICS:
            for partition in range(self.topics.partitions):
                self._produce(self.topics.name(topic), self.disorder.randbytes(60), b"poison", partition)
                self.poisoned += 1

    def _produce(self, name: str, value: bytes, key: bytes, partition: int) -> None:
        while True:
            try:
                self._producer.produce(name, value, key, partition, self._delivered)
            except BufferError:
                self._producer.poll(0.1)
            else:
                self._producer.poll(0)
                return

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._refused.append(error.str())

    def _post(self, topic: str, events: list[dict[str, Any]]) -> None:
        for first in range(0, len(events), _EVENTS_PER_REQUEST):
            self._post_some(topic, events[first : first + _EVENTS_PER_REQUEST])

    def _post_some(self, topic: str, events: list[dict[str, Any]]) -> None:
        deadline, last = time.monotonic() + _PATIENCE_SECONDS, "nothing"
        while time.monotonic() < deadline:
            connection = HTTPConnection("127.0.0.1", self.gateway_port, timeout=15)
            try:
                connection.request("POST", f"/v1/events/{topic}", json.dumps(events), _HEADERS)
                answer = connection.getresponse()
                last = f"{answer.status} {answer.read().decode()}"
                if answer.status == 200:
                    return
                if answer.status < 500:
                    raise NotAcceptedError(f"the gateway refused {topic}: {last}")
            except (OSError, HTTPException) as error:
                last = repr(error)
            finally:
                connection.close()
            time.sleep(0.2)
        raise NotAcceptedError(f"the gateway did not accept {topic} in time; its last answer: {last}")
