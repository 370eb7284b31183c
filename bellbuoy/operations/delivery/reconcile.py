"""
Comparison of a sink's content with Kafka: which accounts are missing, left over, or not what was published.

The newest record of every account on the compacted topics is compared with the sink's, by a digest of all its
fields. A difference counts when it is there twice in a row, so that what is just on its way is none. A sink
that gathers for minutes says how far it has come: an account with a newer record than that is not compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from confluent_kafka import TopicPartition

from bellbuoy.errors import ConfigError
from bellbuoy.operations.delivery.sinks import sinks, there
from bellbuoy.operations.kafka.cluster import kafka_cluster
from bellbuoy.operations.kafka.retry import retry_while_leaderless
from bellbuoy.settings import Settings
from schemas.codec.errors import SchemaError
from schemas.connection import Connection
from schemas.records import AccountHealth, AccountKpis
from sinks.port import Appending, Historical, Reconcilable, Sink, SinkEntry, version
from streams.kafka.cluster import Cluster
from streams.kafka.log_reader import read_to_end, watermarks_of

__all__ = ["Comparison", "ReconcilableSink", "SinkDifference", "compare", "find_reconcilable", "repair"]

_PAUSE_SECONDS = 2.0
_BATCH = 1_000

Compacted = AccountHealth | AccountKpis
_TOPICS: dict[str, type[Compacted]] = {"account.health": AccountHealth, "account.kpis": AccountKpis}
_Key = tuple[str, str]


class ReconcilableSink(Sink, Reconcilable, Protocol):
    """A sink whose content can be compared with the topics."""


@dataclass(frozen=True, slots=True)
class SinkDifference:
    """
    An account of which the sink does not hold what was published last.

    ``kind`` is ``missing``, ``left_over`` or ``different``; ``published`` is what Kafka has, and ``entry``
    what the sink has.
    """

    topic: str
    kind: str
    published: SinkEntry | None
    entry: SinkEntry | None

    @property
    def account(self) -> _Key:
        """Tenant and account."""
        one = self.published or self.entry
        assert one is not None
        return one.tenant, one.account_id

    @property
    def wrong(self) -> bool:
        """Whether the sink's entry was never published so: what is only older was, and may be kept."""
        if self.published is None or self.entry is None:
            return False
        return self.entry[2:4] >= self.published[2:4]


@dataclass(slots=True)
class Comparison:
    """The counts of published and kept accounts by topic, and every difference."""

    published: dict[str, int] = field(default_factory=dict)
    entries: dict[str, int] = field(default_factory=dict)
    differences: list[SinkDifference] = field(default_factory=list)


def find_reconcilable(settings: Settings, name: str) -> ReconcilableSink:
    """Return the sink of this name; raise ConfigError when it can't be compared."""
    found: dict[str, Any] = {sink.name: sink for sink in sinks(settings) if isinstance(sink, Reconcilable)}
    if name not in found:
        raise ConfigError(
            f"no sink {name!r} that can be compared; there is {there(settings, name, found.values())}. "
            "`bellbuoy sinks rebuild` writes any sink again that keeps its positions"
        )
    sink: ReconcilableSink = found[name]
    return sink


def compare(settings: Settings, sink: ReconcilableSink) -> Comparison:
    """Return how an open sink differs from Kafka; raise KafkaAwayError and SinkError."""
    cluster = kafka_cluster(settings)
    first = _compare(cluster, sink)
    if first.differences:
        time.sleep(_PAUSE_SECONDS)
        second = _compare(cluster, sink)
        before = set(first.differences)
        second.differences = [each for each in second.differences if each in before]
        return second
    return first


def repair(settings: Settings, sink: ReconcilableSink, comparison: Comparison) -> int:
    """Write what differs again, and remove what is left over; return how many accounts were put right."""
    cluster = kafka_cluster(settings)
    for topic, kind in _TOPICS.items():
        wrong = [each for each in comparison.differences if each.topic == topic]
        of_nobody = [each.entry for each in wrong if each.entry and not each.published]
        remove_all = sink.remove_with_older if isinstance(sink, Historical) else sink.remove
        remove_all(kind, of_nobody)
        sink.remove(kind, [each.entry for each in wrong if each.entry and each.wrong])
        keys = {each.account for each in wrong if each.published is not None}
        newest: dict[_Key, Compacted] = {}
        for _, _, record in _records(cluster, topic) if keys else ():
            key = (record.tenant, record.account_id)
            if key in keys:
                newest[key] = record
        records = list(newest.values())
        for start in range(0, len(records), _BATCH):
            sink.write(records[start : start + _BATCH])
    return len(comparison.differences)


def _compare(cluster: Cluster, sink: ReconcilableSink) -> Comparison:
    found = Comparison()
    ends = sink.positions() if isinstance(sink, Appending) else None
    for topic, kind in _TOPICS.items():
        if kind not in sink.records:
            continue
        published, on_the_way = _published(cluster, topic, sink.entry, ends)
        found.published[topic], found.entries[topic] = len(published), 0
        for entry in sink.entries_of(kind):
            if (entry.tenant, entry.account_id) in on_the_way:
                continue
            found.entries[topic] += 1
            expected = published.pop((entry.tenant, entry.account_id), None)
            if expected is None:
                found.differences.append(SinkDifference(topic, "left_over", None, entry))
            elif expected != entry:
                found.differences.append(SinkDifference(topic, "different", expected, entry))
        found.differences += [SinkDifference(topic, "missing", each, None) for each in published.values()]
    found.differences.sort(key=lambda each: (each.topic, each.account))
    return found


def _published(
    cluster: Cluster,
    topic: str,
    entry: Callable[[Compacted], SinkEntry],
    ends: Mapping[str, int] | None,
) -> tuple[dict[_Key, SinkEntry], set[_Key]]:
    """
    Return the entry of the newest record of every account that was not deleted.

    With the ends of a sink's partitions an account with a record beyond is one of the second value.
    """
    newest: dict[_Key, tuple[tuple[int, int, int], SinkEntry | None]] = {}
    on_the_way = set()
    for part, offset, record in _records(cluster, topic):
        key, at = (record.tenant, record.account_id), version(record)
        if ends is not None and offset >= ends.get(part, 0):
            on_the_way.add(key)
        elif key not in newest or newest[key][0] < at:
            newest[key] = (at, None if record.deleted else entry(record))
    published = {key: found for key, (_, found) in newest.items() if found and key not in on_the_way}
    return published, on_the_way


def _records(cluster: Cluster, topic: str) -> Iterator[tuple[str, int, Compacted]]:
    """Yield part, offset and record of all that can be decoded; the others are dead letters of delivery."""
    connection, decoder = cluster.connection, cluster.codec(topic)
    name = cluster.topics.name(topic)
    starts = [TopicPartition(name, number, 0) for number in range(cluster.topics.partitions)]
    starts = [TopicPartition(each.topic, each.partition, _first(connection, each)) for each in starts]
    for stored in read_to_end(connection, starts):
        if stored.value is not None:
            try:
                yield f"{topic}/{stored.partition}", stored.offset, decoder.decode(stored.value)
            except SchemaError:
                continue


def _first(connection: Connection, partition: TopicPartition) -> int:
    return retry_while_leaderless(connection, lambda: watermarks_of(connection, partition)[0])
