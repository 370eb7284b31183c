"""The watch over producers: what each sends, and warnings when that changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson
import structlog

from gateway.drift.names import name_in
from gateway.drift.shapes import shape_of
from gateway.drift.stream import FieldChange, Stream, stopped
from gateway.http.sender import Sender
from gateway.metrics import DRIFT
from schemas.producer_reports import DriftWarning, EventKind, ProducerReport

__all__ = ["DriftWatch"]

log = structlog.get_logger(__name__)

_LOOKED_AT = 10
"""Events of a request that are looked at, spread over it."""

_STREAMS = 64
"""Kinds of events that are known of a producer; a further one takes the place of one that came once only."""

_PRODUCERS = 64
"""Producers that are known of a tenant."""

_ROUND = 25
"""Events after which it is asked which kinds stopped."""

_Warnings = dict[tuple[str, str, str], dict[str, Any]]
"""Open warnings by kind, name of the event, and pointer."""


@dataclass(slots=True)
class _Producer:
    """One producer: a source, or a key of it."""

    source: str
    since: int
    streams: dict[str, Stream] = field(default_factory=dict)
    seen: int = 0
    turn: int = 0
    warnings: _Warnings = field(default_factory=dict)


@dataclass(slots=True)
class _TenantProducers:
    """
    The producers of a tenant by name, and how many events all of them sent.

    ``pace`` says of each producer when it sent, among the events of the tenant.
    """

    producers: dict[str, _Producer] = field(default_factory=dict)
    pace: dict[str, Stream] = field(default_factory=dict)
    events: int = 0


class DriftWatch:
    """
    Watch over the producers of every tenant, in the memory of this process.

    ``tell`` is called with a tenant and each new warning. What is known begins anew with the process: after
    thirty events of a kind its changes are noticed again.
    """

    def __init__(self, tell: Callable[[str, dict[str, Any]], None]) -> None:
        self._tell = tell
        self._tenants: dict[str, _TenantProducers] = {}

    def observe(self, sender: Sender, events: Sequence[bytes]) -> None:
        """Look at some of the events of a request, each as JSON."""
        if not events:
            return
        tenant, name = self._tenants.setdefault(sender.tenant, _TenantProducers()), _named(sender)
        producer = tenant.producers.get(name)
        if producer is None:
            if len(tenant.producers) >= _PRODUCERS:
                return
            producer = tenant.producers[name] = _Producer(sender.source, sender.received_at)
        tenant.events = count = tenant.events + len(events)
        own = tenant.pace.setdefault(name, Stream(count, count))
        own.events += len(events)
        own.arrived(count, sender.received_at)
        step = max(1, len(events) // _LOOKED_AT)
        producer.turn = (producer.turn + 1) % step
        before = producer.seen // _ROUND
        for raw in events[producer.turn :: step]:
            self._look_at(sender, producer, raw)
        if producer.seen // _ROUND > before:
            self._compare(sender, name, producer)
            silent = set(stopped(tenant.pace.items(), count, sender.received_at))
            for other, known in tenant.producers.items():
                found = [_warning("silent", other, "", "", sender.received_at)] if other in silent else []
                self._replace(sender.tenant, known, found, {"silent"})

    def report(self, tenant: str) -> dict[str, Any]:
        """Return the producers of a tenant: their kinds of events, and the open warnings."""
        known = self._tenants.get(tenant, _TenantProducers())
        return {
            "producers": [
                {
                    "producer": name,
                    "source": each.source,
                    "events": known.pace[name].events,
                    "last_at": known.pace[name].last_at,
                    "kinds": [
                        {"event": kind, "looked_at": stream.events, "last_at": stream.last_at}
                        for kind, stream in sorted(each.streams.items())
                    ],
                    "warnings": list(each.warnings.values()),
                }
                for name, each in sorted(known.producers.items())
            ]
        }

    def reports(self, gateway: str) -> Iterator[ProducerReport]:
        """Yield the reports of all producers, by this gateway."""
        for tenant, known in self._tenants.items():
            for name, each in known.producers.items():
                yield ProducerReport(
                    tenant=tenant,
                    producer=name,
                    source=each.source,
                    gateway=gateway,
                    events=known.pace[name].events,
                    since=each.since,
                    last_at=known.pace[name].last_at,
                    kinds=tuple(
                        EventKind(event=kind, looked_at=stream.events, last_at=stream.last_at)
                        for kind, stream in sorted(each.streams.items())
                    ),
                    warnings=tuple(
                        msgspec.convert(each.warnings[key], DriftWarning) for key in sorted(each.warnings)
                    ),
                )

    def _look_at(self, sender: Sender, producer: _Producer, raw: bytes) -> None:
        try:
            fields = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return
        if not isinstance(fields, dict):
            return
        producer.seen += 1
        name = name_in(fields)
        stream = producer.streams.get(name)
        if stream is None:
            if len(producer.streams) >= _STREAMS and not _forget_one(producer.streams):
                return
            stream = producer.streams[name] = Stream(producer.seen, producer.seen)
        stream.arrived(producer.seen, sender.received_at)
        stream.observe(shape_of(fields))

    def _compare(self, sender: Sender, name: str, producer: _Producer) -> None:
        """Bring a producer's warnings up to date."""
        at = sender.received_at
        found = [
            _of_field(change, name, kind)
            for kind, stream in producer.streams.items()
            for change in stream.changes.values()
        ]
        found += [
            _warning("stopped", name, kind, "", at)
            for kind in stopped(producer.streams.items(), producer.seen, at)
        ]
        self._replace(sender.tenant, producer, found, {"missing", "renamed", "type", "stopped"})

    def _replace(
        self, tenant: str, producer: _Producer, found: list[dict[str, Any]], kinds: set[str]
    ) -> None:
        """Let these be the open warnings of these kinds; tell and log those that are new."""
        now = {(each["kind"], each["event"], each["pointer"]): each for each in found}
        for key in [key for key in producer.warnings if key[0] in kinds and key not in now]:
            del producer.warnings[key]
            DRIFT.labels(producer.source, key[0]).dec()
        for key, warning in now.items():
            if key in producer.warnings:
                continue
            producer.warnings[key] = warning
            DRIFT.labels(producer.source, key[0]).inc()
            self._tell(tenant, {"became": "warning", "received_at": warning["since"]} | warning)
            log.warning(
                "A producer's events have changed.",
                tenant=tenant,
                producer=warning["source"],
                event_name=warning["event"],
                kind=warning["kind"],
                pointer=warning["pointer"],
            )


def _named(sender: Sender) -> str:
    return f"{sender.source}/{sender.key}" if sender.key else sender.source


def _forget_one(streams: dict[str, Stream]) -> bool:
    """Make room by leaving out a kind that came once only; tell whether there was one."""
    rare = next((name for name, each in streams.items() if each.events < 2), None)
    if rare is None:
        return False
    del streams[rare]
    return True


def _of_field(change: FieldChange, producer: str, event: str) -> dict[str, Any]:
    words = {
        "missing": f"{change.pointer} is missing, which was in nearly every one before",
        "renamed": f"{change.pointer} is missing, and {change.now} came instead: renamed?",
        "type": f"{change.pointer} is of type {change.now}, and was of type {change.was}",
    }
    return _warning(change.kind, producer, event, change.pointer, change.since, words[change.kind])


def _warning(
    kind: str, producer: str, event: str, pointer: str, at: int, message: str = ""
) -> dict[str, Any]:
    words = {
        "stopped": f"{event or 'the event without a name'} stopped, while others of the producer go on",
        "silent": f"{producer} sends nothing any more, while others of the tenant go on",
    }
    return {
        "kind": kind,
        "source": producer,
        "event": event,
        "pointer": pointer,
        "message": message or words[kind],
        "since": at,
    }
