"""
Ledger of a deployment, read from Kafka alone: which events came in, which counted, and which did not and why.

The state's own totals (``Ledger``) and a count of the topics (``InputCounts``) are taken independently, so
that comparing them shows a lost or doubled event.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial

from confluent_kafka import Consumer, TopicPartition

from bellbuoy.operations.kafka.retry import retry_while_leaderless
from processors.state.encoding import decode_state
from processors.state.position import POSITION_KEY, Position, decode_position, is_account
from schemas.codec.envelope import Envelopes
from schemas.codec.errors import SchemaError
from schemas.codec.record_codec import Codec
from schemas.connection import Connection
from schemas.identity.keys import split_key
from schemas.inputs import INPUT_TOPICS
from schemas.records import OWN_SOURCE, AccountLink
from schemas.topics import Topics
from streams.delivery.subscription import Subscription, output_topics
from streams.kafka.cluster import Cluster
from streams.kafka.headers import MOVED_HEADER
from streams.kafka.log_reader import last_record, read_to_end

__all__ = [
    "EndOffsets",
    "InputCounts",
    "Ledger",
    "applied_events",
    "count_inputs",
    "end_offsets",
    "read_ledger",
    "read_positions",
    "written_offsets",
]

_TIMEOUT_SECONDS = 10.0
_COUNTED_TOPICS = (*INPUT_TOPICS, "events.deadletter", "account.health", "risk.alerts")
_TOPICS = tuple(dict.fromkeys((*_COUNTED_TOPICS, *output_topics())))

EndOffsets = dict[tuple[str, int], int]
"""The offset of the next record to be written, by (topic without prefix, partition)."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """
    The totals that the state holds.

    ``applied`` counts the events of each (tenant, account), from the account states; ``positions`` by
    partition carry the totals of every input event read: applied, duplicates, dead letters, moved and erased.
    """

    applied: dict[tuple[str, str], int] = field(default_factory=dict)
    positions: dict[int, Position] = field(default_factory=dict)

    @property
    def read(self) -> int:
        """Return how many input events have gone through the state."""
        return sum(
            p.applied + p.duplicates + p.dead_letters + p.moved + p.erased for p in self.positions.values()
        )

    def total(self, name: str) -> int:
        """Return the sum of one of the positions' counters."""
        return sum(getattr(position, name) for position in self.positions.values())


@dataclass(frozen=True, slots=True)
class InputCounts:
    """
    Counts of the records on the topics from given offsets on.

    ``events`` are those on the input topics; a record that can't be decoded counts as one. Among them,
    ``moved`` are copies that the journal moved to their right partition and transfers of events counted
    before, and ``linked`` are links that the gateway derived from other events. ``dead_letters`` are those
    of input events by reason, ``refused`` of them by the gateway. ``scored`` counts accounts, ``opened`` and
    ``resolved`` count alerts.
    """

    events: int = 0
    moved: int = 0
    linked: int = 0
    dead_letters: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    scored: int = 0
    opened: int = 0
    resolved: int = 0

    @property
    def events_in(self) -> int:
        """Return how many events came in: each once, including the gateway's dead letters and links."""
        return self.events - self.moved + self.refused


def read_ledger(connection: Connection, topics: Topics) -> Ledger:
    """Read the state's changelog to its committed end; raise KafkaAwayError."""
    return retry_while_leaderless(connection, lambda: _read_ledger(connection, topics))


def _read_ledger(connection: Connection, topics: Topics) -> Ledger:
    starts = [TopicPartition(topics.changelog, p, 0) for p in range(topics.partitions)]
    newest = {record.key or b"": record.value for record in read_to_end(connection, starts)}
    applied, positions = {}, {}
    for key, value in newest.items():
        if value is None:
            continue
        if key.startswith(POSITION_KEY):
            positions[int(key.removeprefix(POSITION_KEY))] = decode_position(value)
        elif is_account(key):
            applied[split_key(key)] = decode_state(value).applied
    return Ledger(applied, positions)


def applied_events(connection: Connection, topics: Topics) -> int:
    """Return how many events are in the committed state; raise KafkaAwayError."""
    return sum(position.applied for position in read_positions(connection, topics).values())


def read_positions(connection: Connection, topics: Topics) -> dict[int, Position]:
    """Return the positions alone, each the last record of its partition; raise KafkaAwayError."""
    positions = {}
    for partition in range(topics.partitions):
        last = retry_while_leaderless(
            connection, partial(last_record, connection, topics.changelog, partition)
        )
        if last is not None and last.value is not None and (last.key or b"").startswith(POSITION_KEY):
            positions[partition] = decode_position(last.value)
    return positions


def end_offsets(connection: Connection, topics: Topics) -> EndOffsets:
    """Return where every topic of the ledger ends now; raise KafkaAwayError."""
    return retry_while_leaderless(connection, lambda: _end_offsets(connection, topics))


def _end_offsets(connection: Connection, topics: Topics) -> EndOffsets:
    consumer = Consumer({**connection.librdkafka(), "group.id": "bellbuoy-books", "log_level": 0})
    try:
        return {
            (topic, partition): consumer.get_watermark_offsets(
                TopicPartition(topics.name(topic), partition), timeout=_TIMEOUT_SECONDS
            )[1]
            for topic in _TOPICS
            for partition in range(topics.partitions)
        }
    finally:
        consumer.close()


def written_offsets(connection: Connection, subscription: Subscription) -> list[TopicPartition]:
    """Return how far a sink has written each of its partitions; negative where nothing is known."""
    reader = Consumer({**connection.librdkafka(), "group.id": subscription.group, "log_level": 0})
    try:
        return reader.committed(subscription.partitions(), timeout=_TIMEOUT_SECONDS)
    finally:
        reader.close()


def count_inputs(cluster: Cluster, since: EndOffsets) -> InputCounts:
    """Count the committed records on the topics from these offsets on; raise KafkaAwayError."""
    return retry_while_leaderless(cluster.connection, lambda: _count_inputs(cluster, since))


def _count_inputs(cluster: Cluster, since: EndOffsets) -> InputCounts:
    connection, topics = cluster.connection, cluster.topics
    starts = [
        TopicPartition(topics.name(topic), p, offset)
        for (topic, p), offset in since.items()
        if topic in _COUNTED_TOPICS
    ]
    letters, alerts, links = map(cluster.codec, ("events.deadletter", "risk.alerts", "account.links"))
    envelopes, events, moved, linked, refused = Envelopes(), 0, 0, 0, 0
    reasons: Counter[str] = Counter()
    changes: Counter[str] = Counter()
    scored: set[bytes] = set()
    for record in read_to_end(connection, starts):
        match topics.plain(record.topic):
            case "events.deadletter":
                letter = letters.decode(record.value)
                # Delivery writes dead letters of outputs there, too.
                if letter.topic in INPUT_TOPICS and letter.status == "open":
                    reasons[letter.reason] += 1
                    refused += letter.partition < 0
            case "risk.alerts":
                changes[alerts.decode(record.value).change] += 1
            case "account.health":
                scored.add(record.key or b"")
            case topic:
                events += _events_in(envelopes, record.value)
                copy = any(name == MOVED_HEADER for name, _ in record.headers)
                moved += copy
                linked += not copy and topic == "account.links" and _from_gateway(links, record.value)
    return InputCounts(
        events, moved, linked, reasons, refused, len(scored), changes["opened"], changes["resolved"]
    )


def _events_in(envelopes: Envelopes, value: bytes | None) -> int:
    if not envelopes.holds(value):
        return 1
    try:
        return len(envelopes.unpack(value))
    except SchemaError:
        return 1


def _from_gateway(links: Codec[AccountLink], value: bytes | None) -> bool:
    try:
        return links.decode(value).source == OWN_SOURCE
    except SchemaError:
        return False
