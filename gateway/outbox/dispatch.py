"""From a request's events to confirmed records: encode, put usage of one partition together, send, count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.http.errors import Fault, HttpError
from gateway.metrics import DEAD_LETTERS, EVENTS
from gateway.outbox.accounts import links_of
from gateway.outbox.port import Outbox, OutboxFullError, OutboxUnavailableError, OutgoingRecord
from schemas.codec.envelope import Envelopes
from schemas.codec.errors import SchemaError
from schemas.codec.record_codec import codec
from schemas.codec.registry import Registry
from schemas.identity.keys import account_key, partition_of
from schemas.inputs import INPUT_TOPICS
from schemas.records import InputEvent, dead_letters
from schemas.topics import Topics

__all__ = ["Dispatch", "RequestRecords", "Sender"]

_USAGE = "usage.events"
_LETTERS, _LINKS = "events.deadletter", "account.links"
NOTHING: Mapping[str, bytes] = {}


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a request, through which door, and when it came in (UTC milliseconds)."""

    tenant: str
    source: str
    received_at: int


@dataclass(slots=True)
class RequestRecords:
    """
    One request's encoded records and what to count once they are confirmed.

    ``usage`` holds encoded usage events by partition, behind the key of the first of them.
    """

    records: list[OutgoingRecord] = field(default_factory=list)
    usage: dict[int, tuple[bytes, list[bytes]]] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    letters: Counter[tuple[str, str]] = field(default_factory=Counter)


class Dispatch:
    """Encodes the records of all requests and hands them to the outbox."""

    def __init__(self, outbox: Outbox, topics: Topics, registry: Registry) -> None:
        self._outbox = outbox
        self._codecs = {topic: codec(topic, registry) for topic in (*INPUT_TOPICS, _LETTERS)}
        self._names = {topic: topics.name(topic) for topic in self._codecs}
        self._envelopes = Envelopes(registry)
        self._partitions = topics.partitions

    def pack(self, parcel: RequestRecords, topic: str, event: InputEvent) -> None:
        """Add an event; raise Fault when a value has no place in the topic's schema."""
        try:
            value = self._codecs[topic].encode(event)
        except SchemaError as error:
            raise Fault(str(error)) from error
        key = account_key(event.tenant, event.account_id)
        if topic == _USAGE:
            parcel.usage.setdefault(partition_of(key, self._partitions), (key, []))[1].append(value)
        else:
            parcel.records.append(OutgoingRecord(self._names[topic], key, value))
        parcel.events[topic] += 1

    def pack_links(self, parcel: RequestRecords, event: InputEvent, user: str | None = None) -> None:
        """Add the links that follow from an event; ``user`` is the one who belongs to its account."""
        for link in links_of(event, user):
            self.pack(parcel, _LINKS, link)

    def set_aside(
        self,
        parcel: RequestRecords,
        sender: Sender,
        topic: str,
        raw: bytes,
        fault: Fault,
        around: Mapping[str, bytes] = NOTHING,
    ) -> None:
        """
        Add a dead letter for an event meant for ``topic``; a retry of the same event makes the same id.

        ``around`` becomes its headers: what the request around the event said of it.
        """
        letter = dead_letters.of_request(
            reason=fault.reason,
            detail=fault.detail,
            pointer=fault.pointer,
            topic=topic,
            body=raw,
            headers=around,
            producer=sender.source,
            tenant=sender.tenant,
            failed_at=sender.received_at,
        )
        key = account_key(sender.tenant, letter.id)
        parcel.records.append(
            OutgoingRecord(self._names[_LETTERS], key, self._codecs[_LETTERS].encode(letter))
        )
        parcel.letters[topic, fault.reason] += 1

    async def send(self, parcel: RequestRecords) -> None:
        """Return once every record of the parcel is durable; raise HttpError (503) otherwise."""
        enveloped = (
            OutgoingRecord(self._names[_USAGE], key, value, events)
            for key, values in parcel.usage.values()
            for value, events in self._envelopes.pack(values)
        )
        try:
            await self._outbox.send([*parcel.records, *enveloped])
        except OutboxFullError as error:
            raise HttpError(
                503, "busy", "too many events wait for Kafka: try again", retry_after=1
            ) from error
        except OutboxUnavailableError as error:
            raise HttpError(
                503, "unavailable", "Kafka did not confirm every event: send all of them again", retry_after=2
            ) from error
        for topic, events in parcel.events.items():
            EVENTS.labels(topic).inc(events)
        for (topic, reason), letters in parcel.letters.items():
            DEAD_LETTERS.labels(topic, reason).inc(letters)
