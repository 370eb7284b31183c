"""The dispatcher: encodes the events of a request, sends the records through the outbox and counts them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec.structs import replace

from gateway.drift.watch import DriftWatch
from gateway.field_policy import FieldPolicies
from gateway.http.errors import Fault, HttpError
from gateway.metrics import DEAD_LETTERS, IGNORED, events_confirmed
from gateway.outbox.accounts import derived_records
from gateway.outbox.arrivals import Arrivals, accepted, dead_lettered, ignored, refused
from gateway.outbox.counting import count_of
from gateway.outbox.port import Outbox, OutboxFullError, OutboxUnavailableError, OutgoingRecord
from gateway.outbox.request_records import RequestRecords
from schemas.codec.envelope import Envelopes
from schemas.codec.errors import SchemaError
from schemas.codec.record_codec import codec
from schemas.codec.registry import Registry
from schemas.identity.keys import account_key, partition_of
from schemas.inputs import INPUT_TOPICS, USAGE, input_of
from schemas.records import InputEvent, UsageEvent, dead_letters
from schemas.records.raw_payloads import made_digests, raw_payload
from schemas.topics import MAX_RECORD_BYTES, RAW_TOPIC, Topics

__all__ = ["Dispatcher"]

_DEAD_LETTERS = "events.deadletter"
_NO_COUNTERS: Mapping[str, Mapping[str, str]] = MappingProxyType({})
_NO_HEADERS: Mapping[str, bytes] = MappingProxyType({})
_ALL_FIELDS = FieldPolicies({}, "", {})


class Dispatcher:
    """
    Encodes the records of all requests and sends them through the outbox.

    ``counters`` are the own counters of each tenant, and what each of them counts; ``fields`` say what is
    kept of an event's JSON.
    """

    def __init__(
        self,
        outbox: Outbox,
        topics: Topics,
        registry: Registry,
        counters: Mapping[str, Mapping[str, str]] = _NO_COUNTERS,
        fields: FieldPolicies = _ALL_FIELDS,
    ) -> None:
        self._outbox = outbox
        self.fields = fields
        self.arrivals = Arrivals()
        self.drift = DriftWatch(self.arrivals.tell)
        self._counters = counters
        self._codecs = {topic: codec(topic, registry) for topic in (*INPUT_TOPICS, _DEAD_LETTERS, RAW_TOPIC)}
        self._names = {topic: topics.name(topic) for topic in self._codecs}
        self._envelopes = Envelopes(registry)
        self._partitions = topics.partitions

    def accept(self, records: RequestRecords, event: InputEvent, user: str | None = None) -> None:
        """
        Add an event, and the records that follow from it; ``user`` is a user known to belong to its account.

        Raises Fault when the schema of its topic can't hold one of its values, and HttpError (403) when the
        sender's key may not send to that topic.
        """
        topic = input_of(event).topic
        if records.grant is not None:
            records.grant.check_topic(topic)
        self._add(records, event)
        if records.made is not None:
            records.made += made_digests(event)
        for record in derived_records(event, user):
            self._add(records, record)
        records.received += 1
        if self.arrivals.watched(event.tenant):
            records.arrivals.append((event.tenant, accepted(topic, event)))
        if records.dry_run is not None:
            records.dry_run.accept(event.event_id)

    def ignore(self, records: RequestRecords, raw: bytes) -> None:
        """Note that an event says nothing about health."""
        records.received += 1
        records.ignored += 1
        if self.arrivals.watched(records.sender.tenant):
            records.arrivals.append((records.sender.tenant, ignored(records.sender, raw)))
        if records.dry_run is not None:
            records.dry_run.ignore()

    def refuse(self, records: RequestRecords, fault: Fault) -> None:
        """Note that an event is refused, which its sender is told; nothing of it is kept."""
        if self.arrivals.watched(records.sender.tenant):
            told = refused(records.sender, fault.detail, fault.pointer)
            records.arrivals.append((records.sender.tenant, told))

    def _add(self, records: RequestRecords, event: InputEvent) -> None:
        """Add an event, and what it adds to its tenant's counters; raise Fault."""
        topic = input_of(event).topic
        try:
            value = self._codecs[topic].encode(event)
        except SchemaError as error:
            raise Fault(str(error)) from error
        key = account_key(event.tenant, event.account_id)
        if topic == USAGE.topic:
            records.usage.setdefault(partition_of(key, self._partitions), (key, []))[1].append(value)
        else:
            records.records.append(OutgoingRecord(self._names[topic], key, value))
        records.events[topic] += 1
        if isinstance(event, UsageEvent) and event.tenant in self._counters:
            counted = count_of(event, self._counters[event.tenant])
            if counted is not None:
                self._add(records, counted)

    def add_dead_letter(
        self,
        records: RequestRecords,
        topic: str,
        raw: bytes,
        fault: Fault,
        headers: Mapping[str, bytes] = _NO_HEADERS,
        receipt: str = "",
    ) -> None:
        """
        Add a dead letter for an event that was meant for ``topic``; a retry of the event has the same id.

        ``headers`` hold what the request said about the event outside the event's own JSON ``raw``, of which
        the field policy says what is kept; ``receipt`` tells an event without an id from another one with the
        same content.
        """
        sender = records.sender
        dead_letter = dead_letters.of_request(
            reason=fault.reason,
            detail=fault.detail,
            pointer=fault.pointer,
            topic=topic,
            body=self.fields.of(sender).apply_or_empty(raw),
            receipt=receipt,
            headers=headers,
            producer=sender.source,
            tenant=sender.tenant,
            failed_at=sender.received_at,
        )
        key = account_key(sender.tenant, dead_letter.id)
        value = self._codecs[_DEAD_LETTERS].encode(dead_letter)
        records.records.append(OutgoingRecord(self._names[_DEAD_LETTERS], key, value))
        records.dead_letters[topic, fault.reason] += 1
        records.received += 1
        if self.arrivals.watched(sender.tenant):
            told = dead_lettered(topic, sender, fault, dead_letter.id)
            records.arrivals.append((sender.tenant, told))
        if records.dry_run is not None:
            records.dry_run.reject(fault, records.received - 1)

    def keep(
        self, records: RequestRecords, body: bytes, headers: Mapping[str, bytes], *, for_tests: bool
    ) -> None:
        """
        Add what is kept of the body of a verified webhook, once its events are added.

        ``for_tests`` tells that a secret for the vendor's test mode signed it. Of a body that is too large
        with the digests of what was made of it, those are left out.
        """
        sender = records.sender
        payload = raw_payload(
            tenant=sender.tenant,
            source=sender.source,
            received_at=sender.received_at,
            headers=headers,
            body=body,
            for_tests=for_tests,
            made=bytes(records.made or b""),
        )
        key, codec_ = account_key(payload.tenant, payload.id), self._codecs[RAW_TOPIC]
        value = codec_.encode(payload)
        if len(value) > MAX_RECORD_BYTES:
            value = codec_.encode(replace(payload, made=b""))
        records.records.append(OutgoingRecord(self._names[RAW_TOPIC], key, value))

    async def send(self, records: RequestRecords) -> None:
        """Return once every record of the request is durable; raise HttpError (503) otherwise."""
        enveloped = (
            OutgoingRecord(self._names[USAGE.topic], key, value, events)
            for key, values in records.usage.values()
            for value, events in self._envelopes.pack(values)
        )
        try:
            await self._outbox.send([*records.records, *enveloped])
        except OutboxFullError as error:
            raise HttpError(
                503, "busy", "too many events wait for Kafka: try again", retry_after=1
            ) from error
        except OutboxUnavailableError as error:
            raise HttpError(
                503, "unavailable", "Kafka did not confirm every event: send all of them again", retry_after=2
            ) from error
        if records.grant is not None:
            records.grant.charge(records.received, records.sender.received_at)
        for tenant, arrival in records.arrivals:
            self.arrivals.tell(tenant, arrival)
        self.drift.observe(records.sender, records.raws)
        if records.ignored:
            IGNORED.labels(records.sender.source).inc(records.ignored)
        for topic, events in records.events.items():
            events_confirmed(topic).inc(events)
        for (topic, reason), count in records.dead_letters.items():
            DEAD_LETTERS.labels(topic, reason).inc(count)
