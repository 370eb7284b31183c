"""Mapping of kept webhooks again, with today's mapping: what is new or differs is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from msgspec.structs import replace
from xxhash import xxh3_64_hexdigest

from bellbuoy.errors import ConfigError
from bellbuoy.operations.forget.erasure_list import read_erasures
from bellbuoy.operations.kafka.errors import kafka_away
from bellbuoy.operations.kafka.record_writing import NewRecord, write_records
from bellbuoy.operations.kafka.registry import registry
from bellbuoy.operations.payload_events import mapped
from bellbuoy.settings import Settings
from gateway.http.errors import Fault
from gateway.outbox.accounts import derived_records
from gateway.sources.registry import WEBHOOKS
from gateway.sources.source import WebhookSource
from schemas.codec.errors import SchemaError
from schemas.codec.record_codec import codec
from schemas.identity.keys import account_key, partition_of
from schemas.inputs import BILLING, PROFILES, SUPPORT, SURVEYS, input_of
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

    def to_send() -> Iterator[InputEvent]:
        for payload in _payloads(settings, source.name, since, tenant):
            report.payloads += 1
            progress(report.payloads)
            for event in differing(source, payload, report):
                if event.occurred_at <= erasures.erased_at(event.tenant, event.account_id):
                    report.erased += 1
                else:
                    yield event

    if dry_run:
        for _ in to_send():
            pass
    else:
        write_records(settings, _records(settings, to_send()), _SECONDS)
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
        raise kafka_away(kafka.connection(), error.args[0]) from None


def _records(settings: Settings, events: Iterable[InputEvent]) -> Iterator[NewRecord]:
    """Yield the records of events on their input topics, and of what follows from each."""
    topics, known = settings.kafka.topics(), registry(settings)
    for event in events:
        for each in (event, *derived_records(event)):
            topic, key = input_of(each).topic, account_key(each.tenant, each.account_id)
            value = codec(topic, known).encode(each)
            yield NewRecord(topics.name(topic), partition_of(key, topics.partitions), key, value)
