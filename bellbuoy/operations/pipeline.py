"""The pipeline's progress: what each partition and each sink has still before it, read from Kafka."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bellbuoy.operations.kafka.ledger import EndOffsets, end_offsets, read_positions, written_offsets
from bellbuoy.operations.kafka.retry import retry_while_leaderless
from processors.state.position import Position
from schemas.connection import Connection
from schemas.inputs import INPUT_TOPICS
from schemas.topics import Topics
from sinks.port import Sink
from streams.delivery.subscription import Subscription
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import last_record

__all__ = ["PartitionProgress", "Pipeline", "SinkProgress", "pipeline"]

_JOURNAL = "account.journal"


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """
    A partition's progress.

    ``unread`` are records of the inputs that the journal has not read, ``unfolded`` batches of the journal
    that the worker has not folded; both count the markers of transactions, so a few are none. ``position``
    is how far the worker has come.
    """

    partition: int
    unread: int
    unfolded: int
    position: Position


@dataclass(frozen=True, slots=True)
class SinkProgress:
    """The records that a sink has not written yet, by topic without prefix, transaction markers included."""

    name: str
    behind: dict[str, int]

    @property
    def total(self) -> int:
        """All that is behind."""
        return sum(self.behind.values())


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The progress of all partitions and all sinks."""

    partitions: list[PartitionProgress]
    sinks: list[SinkProgress]


def pipeline(cluster: Cluster, sinks: Collection[Sink]) -> Pipeline:
    """Return how far journal, worker and delivery have come; raise KafkaAwayError."""
    return retry_while_leaderless(cluster.connection, lambda: _pipeline(cluster, sinks))


def _pipeline(cluster: Cluster, sinks: Collection[Sink]) -> Pipeline:
    connection, topics = cluster.connection, cluster.topics
    folded, ends = read_positions(connection, topics), end_offsets(connection, topics)
    batches = cluster.codec(_JOURNAL)
    partitions = []
    for number in range(topics.partitions):
        record = last_record(connection, topics.name(_JOURNAL), number)
        covered = {} if record is None else {r.topic: r.next for r in batches.decode(record.value).offsets}
        unread = sum(max(0, ends[topic, number] - covered.get(topic, 0)) for topic in INPUT_TOPICS)
        position = folded.get(number, Position())
        unfolded = 0 if record is None else max(0, record.offset - position.offset)
        partitions.append(PartitionProgress(number, unread, unfolded, position))
    return Pipeline(partitions, [_behind(connection, topics, sink, ends) for sink in sinks])


def _behind(connection: Connection, topics: Topics, sink: Sink, ends: EndOffsets) -> SinkProgress:
    subscription = Subscription.of(sink, topics)
    behind = dict.fromkeys(subscription.topics, 0)
    for part in written_offsets(connection, subscription):
        topic = topics.plain(part.topic)
        behind[topic] += max(0, ends.get((topic, part.partition), 0) - max(0, part.offset))
    return SinkProgress(sink.name, behind)
