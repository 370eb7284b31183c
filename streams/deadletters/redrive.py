"""
Redriver of repaired dead letters: sends them to their topics once more.

One transaction writes the event to its topic and the dead letter's new status, under one transactional id for
all redrivers: a second one fences the first and reads every status that it has committed. So a dead letter is
redriven once, whatever is killed and however often a redrive is started.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from schemas.codec.record_codec import codec
from schemas.codec.registry import Registry
from schemas.connection import Connection
from schemas.identity.keys import account_key, partition_of
from schemas.inputs import INPUT_TOPICS
from schemas.records import AlertNotification, DeadLetter, InputEvent
from schemas.records.dead_letters import PIPELINE_HEADERS, SINK_HEADER
from schemas.topics import Topics
from streams.kafka.transactional_producer import TransactionalProducer

__all__ = ["REDRIVEN_HEADER", "Redriver", "RepairedEvent"]

REDRIVEN_HEADER = "bellbuoy-redriven"
"""On a record that was redriven: the id of its dead letter."""


class RepairedEvent(NamedTuple):
    """
    A dead letter and the event that it became by repair, or the notification that is to be sent again.

    ``topic`` is the event's, without prefix.
    """

    letter: DeadLetter
    topic: str
    event: InputEvent | AlertNotification


class Redriver:
    """
    Sends repaired events.

    Making one fences every earlier redriver; after that all that it has committed can be read.
    """

    def __init__(self, connection: Connection, topics: Topics, registry: Registry) -> None:
        self._topics = topics
        self._letters = codec("events.deadletter", registry)
        self._codecs = {topic: codec(topic, registry) for topic in (*INPUT_TOPICS, "alert.notifications")}
        self._producer = TransactionalProducer(connection, f"{topics.prefix}bellbuoy-redrive")

    def send(self, repaired: Sequence[RepairedEvent], now: int) -> None:
        """
        Send events to the partitions of their accounts and mark their dead letters redriven, all or none.

        Event times and ids stay; ``received_at`` becomes ``now``. A notification goes to the channel that
        failed, as one that was redriven. Raises FencedError when another redrive
        took over, and KafkaException.
        """
        self._producer.begin()
        for letter, topic, event in repaired:
            key, sent = _again(letter, event, now)
            value = self._codecs[topic].encode(sent)
            kept = [item for item in letter.headers.items() if not item[0].startswith(PIPELINE_HEADERS)]
            headers = [*kept, (REDRIVEN_HEADER, letter.id.encode())]
            partition = partition_of(key, self._topics.partitions)
            self._producer.produce(self._topics.name(topic), value, key, partition, headers)
            self._mark(replace(letter, status="redriven", changed_at=now))
        self._producer.commit()

    def _mark(self, letter: DeadLetter) -> None:
        key = letter.id.encode()
        partition = partition_of(key, self._topics.partitions)
        name = self._topics.name("events.deadletter")
        self._producer.produce(name, self._letters.encode(letter), key, partition)


def _again(
    letter: DeadLetter, event: InputEvent | AlertNotification, now: int
) -> tuple[bytes, InputEvent | AlertNotification]:
    """Return the key of a record that is sent again, and the record."""
    if isinstance(event, AlertNotification):
        channel = letter.headers[SINK_HEADER].decode()
        again = replace(event, redriven=letter.id, channel=channel, received_at=None)
        return account_key(event.tenant, event.recipient), again
    return account_key(event.tenant, event.account_id), replace(event, received_at=now)
