"""The input events of a partition that became dead letters, read back from the dead-letter topic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import structlog
from confluent_kafka import TopicPartition

from schemas.codec.errors import SchemaError
from schemas.inputs import INPUT_TOPICS
from schemas.records import DeadLetter
from streams.kafka.cluster import Cluster
from streams.kafka.headers import INDEX_HEADER, TOPIC_ID_HEADER
from streams.kafka.log_reader import read_to_end, watermarks_of

__all__ = ["SetAside", "read_set_aside"]

log = structlog.get_logger(__name__)

_MOST_LETTERS = 500_000
"""Newest records of a partition of the dead-letter topic that are read back: some ten seconds of work."""


class SetAside:
    """
    A set of input events of one partition that became dead letters, by topic, offset and index.

    An event's own fields don't tell: its time may have come since, or its schema may have been registered.
    Dead letters of a topic that was made anew since (``topic_ids``) tell nothing.
    """

    def __init__(
        self,
        letters: Iterable[DeadLetter] = (),
        partition: int = 0,
        topic_ids: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        self._records: set[tuple[str, int]] = set()
        self._events: set[tuple[str, int, int]] = set()
        for letter in letters:
            if letter.topic not in INPUT_TOPICS or letter.partition != partition:
                continue
            topic_id, known = letter.headers.get(TOPIC_ID_HEADER), topic_ids.get(letter.topic)
            if topic_id and known and topic_id != known:
                continue
            index = letter.headers.get(INDEX_HEADER)
            if index is None:
                self._records.add((letter.topic, letter.offset))
            else:
                self._events.add((letter.topic, letter.offset, int(index)))

    def __bool__(self) -> bool:
        return bool(self._records or self._events)

    def holds(self, topic: str, offset: int, index: int = 0) -> bool:
        """Return whether this event became a dead letter, alone or with the record that it came in."""
        return (topic, offset) in self._records or (topic, offset, index) in self._events


def read_set_aside(cluster: Cluster, partition: int, topic_ids: Mapping[str, bytes]) -> SetAside:
    """Return the events of one partition's inputs that the journal has set aside; raise KafkaException."""
    return SetAside(_letters(cluster, partition), partition, topic_ids)


def _letters(cluster: Cluster, partition: int) -> Iterator[DeadLetter]:
    name, codec = cluster.topics.name("events.deadletter"), cluster.codec("events.deadletter")
    first, end = watermarks_of(cluster.connection, TopicPartition(name, partition))
    start = max(first, end - _MOST_LETTERS)
    if start > first:
        log.warning(
            "Dead letters read back in part: older ones may count as duplicates once they are redriven.",
            partition=partition,
            read=end - start,
            held=end - first,
        )
    for record in read_to_end(cluster.connection, [TopicPartition(name, partition, start)]):
        try:
            yield codec.decode(record.value)
        except SchemaError:
            continue  # not the journal's
