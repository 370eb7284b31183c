"""Prometheus metrics of the gateway. No label ever carries an account, a user or an event name."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from schemas.inputs import INPUT_TOPICS

__all__ = [
    "ACTIVE_REQUESTS",
    "DEAD_LETTERS",
    "DRIFT",
    "EVENTS",
    "IGNORED",
    "KEY_EVENTS",
    "KEY_REFUSALS",
    "REGISTRY",
    "REJECTED",
    "REQUESTS",
    "REQUEST_SECONDS",
    "UNCONFIRMED_EVENTS",
    "UNUSABLE_PROPERTIES",
    "count_unusable",
    "events_confirmed",
    "key_events",
    "requests_answered",
    "start_series",
]

REGISTRY = CollectorRegistry()
"""The gateway's own: other roles export the same names, and a test imports several of them."""
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
_BUILD = Info("bellbuoy_build", "The release that runs.", ["role"], registry=REGISTRY)
_BUILD.labels("gateway").info({"version": version("bellbuoy")})

REQUESTS = Counter(
    "bellbuoy_ingest_requests_total", "Requests answered.", ["route", "code"], registry=REGISTRY
)
REQUEST_SECONDS = Histogram(
    "bellbuoy_ingest_seconds",
    "Time from a request's head to its answer, Kafka's confirmation included.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
    registry=REGISTRY,
)
EVENTS = Counter("bellbuoy_ingest_events_total", "Events confirmed by Kafka.", ["topic"], registry=REGISTRY)
IGNORED = Counter(
    "bellbuoy_ingest_ignored_total",
    "Good events that say nothing about health.",
    ["source"],
    registry=REGISTRY,
)
UNUSABLE_PROPERTIES = Counter(
    "bellbuoy_ingest_unreadable_properties_total",
    "Free-form properties left out of an event because their type can't be used.",
    ["property"],
    registry=REGISTRY,
)
REJECTED = Counter(
    "bellbuoy_webhook_rejected_total", "Webhooks refused.", ["source", "reason"], registry=REGISTRY
)
DEAD_LETTERS = Counter(
    "bellbuoy_dead_letters_total",
    "Events sent to the dead-letter topic.",
    ["topic", "reason"],
    registry=REGISTRY,
)
KEY_EVENTS = Counter(
    "bellbuoy_ingest_key_events_total",
    "Events accepted with a key, those that say nothing about health included.",
    ["tenant", "key"],
    registry=REGISTRY,
)
KEY_REFUSALS = Counter(
    "bellbuoy_ingest_key_refused_total",
    "Requests refused by the scope or the quota of a key.",
    ["tenant", "key", "reason"],
    registry=REGISTRY,
)
DRIFT = Gauge(
    "bellbuoy_ingest_drift_warnings",
    "Open warnings that a producer's events have changed: missing, renamed, type, stopped or silent.",
    ["source", "kind"],
    registry=REGISTRY,
)
ACTIVE_REQUESTS = Gauge("bellbuoy_ingest_requests_inside", "Requests under way.", registry=REGISTRY)
UNCONFIRMED_EVENTS = Gauge(
    "bellbuoy_ingest_waiting_events", "Events sent to Kafka and not yet confirmed.", registry=REGISTRY
)

for _topic in INPUT_TOPICS:
    EVENTS.labels(_topic)
    for _reason in ("invalid", "unresolved_account"):
        DEAD_LETTERS.labels(_topic, _reason)


@cache
def requests_answered(route: str, code: int) -> Counter:
    """Return the counter of a route's answers with a status; kept, as a look-up costs more than a count."""
    return REQUESTS.labels(route, str(code))


@cache
def events_confirmed(topic: str) -> Counter:
    """Return the counter of a topic's confirmed events."""
    return EVENTS.labels(topic)


@cache
def key_events(tenant: str, key: str) -> Counter:
    """Return the counter of the events accepted with a key."""
    return KEY_EVENTS.labels(tenant, key)


def count_unusable(name: str) -> None:
    """Count a free-form property that was left out of an event."""
    UNUSABLE_PROPERTIES.labels(name).inc()


def start_series(mapped: Iterable[str], webhooks: Iterable[str]) -> None:
    """
    Start at zero the series of the sources whose events are mapped, and of those that send webhooks.

    Without a zero Prometheus can't see the first increase of a counter.
    """
    for source in mapped:
        IGNORED.labels(source)
    for source in webhooks:
        for reason in ("unknown_tenant", "signature", "stale", "invalid"):
            REJECTED.labels(source, reason)
