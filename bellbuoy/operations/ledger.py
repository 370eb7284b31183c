"""The books of a deployment, read from Kafka alone: what came in, what counted, what did not and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial

from confluent_kafka import Consumer, TopicPartition

from bellbuoy.operations.retry import ask_again
from processors.state.encoding import decode_state
from processors.state.position import POSITION_KEY, Position, decode_position, is_account
from schemas.codec.envelope import Envelopes
from schemas.codec.errors import SchemaError
from schemas.codec.record_codec import Codec, codec
from schemas.identity.keys import split_key
from schemas.inputs import INPUT_TOPICS
from schemas.records import OWN_SOURCE, AccountLink
from schemas.topics import Topics
from streams.kafka.headers import MOVED_HEADER
from streams.kafka.log_reader import last_record, read_to_end

__all__ = ["Books", "Ends", "Ledger", "applied", "books", "ends", "ledger", "positions"]

_SECONDS = 10.0
_BOOKED = (*INPUT_TOPICS, "events.deadletter", "account.health", "risk.alerts")
_MARKED = (*_BOOKED, "account.kpis")

Ends = dict[tuple[str, int], int]
"""Offset read next by (topic without prefix, partition)."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """
    What the state says of itself.

    ``applied`` is by (tenant, account), from the account states; ``positions`` by partition carry the
    totals of every input event read: applied, duplicates, dead letters and moved.
    """

    applied: dict[tuple[str, str], int] = field(default_factory=dict)
    positions: dict[int, Position] = field(default_factory=dict)

    @property
    def read(self) -> int:
        """Return how many input events have gone through the state."""
        return sum(p.applied + p.duplicates + p.dead_letters + p.moved for p in self.positions.values())

    def total(self, name: str) -> int:
        """Return the sum of one of the positions' counters."""
        return sum(getattr(position, name) for position in self.positions.values())


@dataclass(frozen=True, slots=True)
class Books:
    """
    What the topics hold since given offsets.

    ``events`` are those on the input topics, a record that can't be decoded as one, ``moved`` of them
    copies that the journal moved to their right partition, and transfers of what was counted before, and
    ``linked`` of them links that the front door drew from other events. ``letters`` are dead letters of
    input events by reason, ``refused`` of them by the front door. ``scored`` counts accounts, ``opened``
    and ``resolved`` alerts.
    """

    events: int = 0
    moved: int = 0
    linked: int = 0
    letters: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    scored: int = 0
    opened: int = 0
    resolved: int = 0

    @property
    def events_in(self) -> int:
        """Return how many events came in: each once, dead letters and links of the front door included."""
        return self.events - self.moved + self.refused


def ledger(bootstrap: str, topics: Topics) -> Ledger:
    """Read the state's changelog to its committed end; raise KafkaAwayError."""
    return ask_again(bootstrap, lambda: _ledger(bootstrap, topics))


def _ledger(bootstrap: str, topics: Topics) -> Ledger:
    starts = [TopicPartition(topics.changelog, p, 0) for p in range(topics.partitions)]
    newest = {record.key or b"": record.value for record in read_to_end(bootstrap, starts)}
    applied, found = {}, {}
    for key, value in newest.items():
        if value is None:
            continue
        if key.startswith(POSITION_KEY):
            found[int(key.removeprefix(POSITION_KEY))] = decode_position(value)
        elif is_account(key):
            applied[split_key(key)] = decode_state(value).applied
    return Ledger(applied, found)


def applied(bootstrap: str, topics: Topics) -> int:
    """Return how many events are in the committed state; raise KafkaAwayError."""
    return sum(position.applied for position in positions(bootstrap, topics).values())


def positions(bootstrap: str, topics: Topics) -> dict[int, Position]:
    """Return the positions alone, each the last record of its partition; raise KafkaAwayError."""
    found = {}
    for partition in range(topics.partitions):
        last = ask_again(bootstrap, partial(last_record, bootstrap, topics.changelog, partition))
        if last is not None and last.value is not None and (last.key or b"").startswith(POSITION_KEY):
            found[partition] = decode_position(last.value)
    return found


def ends(bootstrap: str, topics: Topics) -> Ends:
    """Return where every topic the books are kept of ends now; raise KafkaAwayError."""
    return ask_again(bootstrap, lambda: _ends(bootstrap, topics))


def _ends(bootstrap: str, topics: Topics) -> Ends:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bellbuoy-books", "log_level": 0})
    try:
        return {
            (topic, partition): consumer.get_watermark_offsets(
                TopicPartition(topics.name(topic), partition), timeout=_SECONDS
            )[1]
            for topic in _MARKED
            for partition in range(topics.partitions)
        }
    finally:
        consumer.close()


def books(bootstrap: str, topics: Topics, since: Ends) -> Books:
    """Count what stands on the topics since these offsets, committed records only; raise KafkaAwayError."""
    return ask_again(bootstrap, lambda: _books(bootstrap, topics, since))


def _books(bootstrap: str, topics: Topics, since: Ends) -> Books:
    starts = [
        TopicPartition(topics.name(topic), p, offset)
        for (topic, p), offset in since.items()
        if topic in _BOOKED
    ]
    letter, alert, envelopes = codec("events.deadletter"), codec("risk.alerts"), Envelopes()
    links, events, moved, linked, refused = codec("account.links"), 0, 0, 0, 0
    letters: Counter[str] = Counter()
    changes: Counter[str] = Counter()
    scored: set[bytes] = set()
    for record in read_to_end(bootstrap, starts):
        match topics.plain(record.topic):
            case "events.deadletter":
                dead = letter.decode(record.value)
                if dead.topic in INPUT_TOPICS and dead.status == "open":  # delivery parks outputs there, too
                    letters[dead.reason] += 1
                    refused += dead.partition < 0
            case "risk.alerts":
                changes[alert.decode(record.value).change] += 1
            case "account.health":
                scored.add(record.key or b"")
            case _:
                events += _events(envelopes, record.value)
                copy = any(name == MOVED_HEADER for name, _ in record.headers)
                moved += copy
                linked += (
                    not copy and topics.plain(record.topic) == "account.links" and _own(links, record.value)
                )
    return Books(events, moved, linked, letters, refused, len(scored), changes["opened"], changes["resolved"])


def _events(envelopes: Envelopes, value: bytes | None) -> int:
    if not envelopes.holds(value):
        return 1
    try:
        return len(envelopes.unpack(value))
    except SchemaError:
        return 1


def _own(links: Codec[AccountLink], value: bytes | None) -> bool:
    try:
        return links.decode(value).source == OWN_SOURCE
    except SchemaError:
        return False
