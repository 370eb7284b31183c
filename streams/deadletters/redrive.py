"""
Send repaired dead letters through the front again.

Redriving writes the record to its topic and the letter's new status in one transaction, under one
transactional id: a second redriver fences the first and reads every mark it has committed, so a letter
is redriven once, whatever is killed and however often it is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from schemas.codec.record_codec import codec
from schemas.codec.registry import Registry
from schemas.identity.keys import account_key, partition_of
from schemas.inputs import INPUT_TOPICS
from schemas.records import DeadLetter, InputEvent
from schemas.topics import Topics
from streams.kafka.clients import Transactions

__all__ = ["REDRIVEN_HEADER", "Redriver", "Sendable"]

REDRIVEN_HEADER = "bellbuoy-redriven"
"""On a record that was redriven: the id of its letter."""

_OURS = "bellbuoy-"


class Sendable(NamedTuple):
    """A letter and the event that it became, with the event's topic (without prefix)."""

    letter: DeadLetter
    topic: str
    event: InputEvent


class Redriver:
    """Making one ends every other one's work: what that has committed can be read then."""

    def __init__(self, bootstrap: str, topics: Topics, registry: Registry) -> None:
        self._topics = topics
        self._letters = codec("events.deadletter", registry)
        self._codecs = {topic: codec(topic, registry) for topic in INPUT_TOPICS}
        self._transactions = Transactions(bootstrap, f"{topics.prefix}bellbuoy-redrive")

    def send(self, sendables: Sequence[Sendable], now: int) -> None:
        """
        Send events to the partitions of their accounts and mark their letters, all or none.

        Their event times and ids stay; received they are ``now``. Raises FencedError when another redrive
        took over, and KafkaException.
        """
        self._transactions.begin()
        for letter, topic, event in sendables:
            key = account_key(event.tenant, event.account_id)
            value = self._codecs[topic].encode(replace(event, received_at=now))
            kept = [(name, was) for name, was in letter.headers.items() if not name.startswith(_OURS)]
            headers = [*kept, (REDRIVEN_HEADER, letter.id.encode())]
            partition = partition_of(key, self._topics.partitions)
            self._transactions.produce(self._topics.name(topic), value, key, partition, headers)
            self._mark(replace(letter, status="redriven", changed_at=now))
        self._transactions.commit()

    def _mark(self, letter: DeadLetter) -> None:
        key = letter.id.encode()
        partition = partition_of(key, self._topics.partitions)
        name = self._topics.name("events.deadletter")
        self._transactions.produce(name, self._letters.encode(letter), key, partition)
