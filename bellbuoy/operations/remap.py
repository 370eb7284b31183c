"""Mapping of kept webhooks again, with today's mapping: what is new or differs is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition
from msgspec.structs import replace
from xxhash import xxh3_64_hexdigest

from bellbuoy.errors import ConfigError
from bellbuoy.operations.forget.erasure_list import read_erasures
from bellbuoy.operations.kafka_errors import KafkaAwayError
from bellbuoy.operations.payload_events import mapped
from bellbuoy.operations.registry import registry
from bellbuoy.settings import Settings
from gateway.http.errors import Fault
from gateway.outbox.accounts import derived_records
from gateway.sources.registry import WEBHOOKS
from gateway.sources.source import WebhookSource
from schemas.codec.errors import SchemaError
from schemas.codec.record_codec import codec
from schemas.identity.keys import account_key, partition_of
from schemas.inputs import BILLING, PROFILES, SUPPORT, SURVEYS, input_of
from schemas.producer_settings import DURABLE
from schemas.records import InputEvent
from schemas.records.raw_payloads import RawPayload, made_digests, split_digests
from schemas.topics import RAW_TOPIC
from streams.kafka.log_reader import read_to_end

__all__ = ["RemapReport", "correction_of", "differing", "remap", "webhook_source"]

_CORRECTABLE = (BILLING.topic, SUPPORT.topic, SURVEYS.topic, PROFILES.topic)
"""Topics whose state is replaced by a newer event about the same thing; others would count twice."""

_EXAMPLES = 20
_SECONDS = 60.0


@dataclass(slots=True)
class RemapReport:
    """
    The ends of the kept webhooks of a source.

    ``payloads`` were read; ``same`` records are as they were made, ``new`` ones were not made before,
    ``corrected`` ones differ and were sent (or would be), ``left`` ones differ on a topic where they would
    count twice; ``faults`` events still can't be used. ``examples`` are the first of all but ``same``.
    """

    payloads: int = 0
    same: int = 0
    new: int = 0
    corrected: int = 0
    left: int = 0
    faults: int = 0
    erased: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)

    def note(self, what: str, about: dict[str, Any]) -> None:
        """Count one, and keep it as an example of the first."""
        setattr(self, what, getattr(self, what) + 1)
        if len(self.examples) < _EXAMPLES:
            self.examples.append({"is": what} | about)


def webhook_source(name: str) -> WebhookSource:
    """Return a webhook source by its name; raise ConfigError."""
    for source in WEBHOOKS:
        if source.name == name:
            return source
    raise ConfigError(
        f"no webhook source {name!r}: only those are kept raw; there are "
        f"{', '.join(source.name for source in WEBHOOKS)}"
    )


def remap(
    settings: Settings,
    source: WebhookSource,
    *,
    since: int,
    tenant: str | None = None,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> RemapReport:
    """
    Map the webhooks of a source again, and send what is new or differs.

    ``since`` is the arrival of the first of them, UTC milliseconds. It may be repeated: the same correction
    has the same id. Raises KafkaAwayError.
    """
    report, erasures = RemapReport(), read_erasures(settings)
    sender = _EventSender(settings)
    for payload in _payloads(settings, source.name, since, tenant):
        report.payloads += 1
        progress(report.payloads)
        for event in differing(source, payload, report):
            if event.occurred_at <= erasures.erased_at(event.tenant, event.account_id):
                report.erased += 1
            elif not dry_run:
                sender.send(event)
                for record in derived_records(event):
                    sender.send(record)
    sender.flush()
    return report


def correction_of(event: InputEvent) -> InputEvent:
    """
    Return an event again so that it replaces what its first version said.

    It is a millisecond later, which makes it the newer of the two, and its id follows from its content.
    """
    digest = xxh3_64_hexdigest(made_digests(event))
    return replace(event, event_id=f"remap {digest} of {event.event_id}", occurred_at=event.occurred_at + 1)


def differing(source: WebhookSource, payload: RawPayload, report: RemapReport) -> Iterator[InputEvent]:
    """Yield the events to send of one payload."""
    made: dict[bytes, set[bytes]] = {}
    for name, content in split_digests(payload.made):
        made.setdefault(name, set()).add(content)
    for event in mapped(source, payload, tests=payload.for_tests):
        if isinstance(event, Fault):
            about = {"payload": payload.id, "pointer": event.pointer, "message": event.detail}
            report.note("faults", about)
            continue
        digests = made_digests(event)
        name, content = digests[:8], digests[8:]
        topic = input_of(event).topic
        about = {
            "payload": payload.id,
            "topic": topic,
            "account_id": event.account_id,
            "event_id": event.event_id,
        }
        if name not in made:
            report.note("new", about)
            yield event
        elif content in made[name]:
            report.same += 1
        elif topic in _CORRECTABLE:
            report.note("corrected", about)
            yield correction_of(event)
        else:
            report.note("left", about)


def _payloads(settings: Settings, source: str, since: int, tenant: str | None) -> Iterator[RawPayload]:
    """Yield the kept payloads of a source, each once."""
    kafka = settings.kafka
    topics, payloads = kafka.topics(), codec(RAW_TOPIC, registry(settings))
    seen: set[str] = set()
    starts = [TopicPartition(topics.name(RAW_TOPIC), number, 0) for number in range(topics.partitions)]
    records = read_to_end(kafka.connection(), starts)
    try:
        for record in records:
            if record.value is None:
                continue
            try:
                payload: RawPayload = payloads.decode(record.value)
            except SchemaError:
                continue  # not ours
            wanted = payload.source == source and tenant in (None, payload.tenant)
            if wanted and payload.received_at >= since and payload.id not in seen:
                seen.add(payload.id)
                yield payload
    except KafkaException as error:
        raise KafkaAwayError(kafka.connection(), error.args[0].str()) from None


class _EventSender:
    """Sender of events to their input topics; ``flush`` returns once Kafka has confirmed all of them."""

    def __init__(self, settings: Settings) -> None:
        kafka = settings.kafka
        self._connection, self._topics = kafka.connection(), kafka.topics()
        self._registry = registry(settings)
        self._failures: list[KafkaError] = []
        self._producer = Producer(
            {
                **DURABLE,
                **kafka.connection().librdkafka(),
                "message.timeout.ms": int(_SECONDS * 1000),
                "log_level": 2,
            },
            error_cb=lambda _: None,  # what goes wrong is in the report
        )

    def send(self, event: InputEvent) -> None:
        """Send an event."""
        topic, key = input_of(event).topic, account_key(event.tenant, event.account_id)
        value = codec(topic, self._registry).encode(event)
        partition = partition_of(key, self._topics.partitions)
        while True:
            try:
                self._producer.produce(self._topics.name(topic), value, key, partition, self._confirmed)
                break
            except BufferError:
                self._producer.poll(0.1)
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait for the confirmations; raise KafkaAwayError."""
        waiting = self._producer.flush(_SECONDS)
        if waiting or self._failures:
            reason = self._failures[0].str() if self._failures else "no answer"
            raise KafkaAwayError(self._connection, reason)

    def _confirmed(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failures.append(error)
