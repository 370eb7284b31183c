"""Reports for those who run the pipeline: progress and latency, dead letters, and models in force."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import quantiles

from bellbuoy.operations.changes.in_force import models_in_force
from bellbuoy.operations.delivery.sinks import sinks
from bellbuoy.operations.kafka.cluster import kafka_cluster
from bellbuoy.operations.pipeline import Pipeline, pipeline
from bellbuoy.settings import Settings
from bellbuoy.times import now
from processors.fold.models_in_force import InForce
from processors.model import DEFAULT
from schemas.identity.keys import ALL_TENANTS
from schemas.records import DeadLetter
from schemas.times import MINUTE
from sinks.serving import Reader
from streams.deadletters.reader import DeadLetterFilter, read_dead_letters

__all__ = ["DeadLetters", "PipelineReport", "dead_letters", "live_models", "pipeline_report"]

_LATENCY_UPDATES = 2_000
_LATENCY_MINUTES = 15
_SHOWN_LETTERS = 30


@dataclass(frozen=True, slots=True)
class PipelineReport:
    """
    The progress of the pipeline, and its latency.

    ``median`` and ``most`` are milliseconds from an event at the gateway to the serving sink, of the last
    minutes' updates that an event caused: the median and the 99th percentile (``None``: there were too few).
    """

    progress: Pipeline
    median: float | None
    most: float | None


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """A tenant's open dead letters: how many by topic, reason and producer, and the newest ones."""

    counts: list[tuple[tuple[str, str, str], int]]
    newest: list[DeadLetter]
    total: int


def pipeline_report(settings: Settings, reader: Reader) -> PipelineReport:
    """Return how the pipeline does; raise OperatorError and ReadError."""
    progress = pipeline(kafka_cluster(settings), sinks(settings))
    since = now() - _LATENCY_MINUTES * MINUTE
    updates = reader.updates(f"{since}-0", _LATENCY_UPDATES)
    took = [one.written_at - one.received_at for one in updates if one.received_at is not None]
    if len(took) < 10:
        return PipelineReport(progress, None, None)
    percentiles = quantiles(took, n=100)
    return PipelineReport(progress, max(0.0, percentiles[49]), max(0.0, percentiles[98]))


def dead_letters(settings: Settings, tenant: str) -> DeadLetters:
    """Return a tenant's open dead letters; raise KafkaException."""
    kafka = settings.kafka
    topics = kafka.topics()
    wanted = DeadLetterFilter(tenant=tenant, status="open")
    letters = list(read_dead_letters(kafka.connection(), topics, wanted))
    counts = Counter((topics.plain(one.topic), one.reason, one.producer or "") for one in letters)
    newest = sorted(letters, key=lambda one: -one.failed_at)[:_SHOWN_LETTERS]
    return DeadLetters(counts.most_common(), newest, len(letters))


def live_models(settings: Settings, tenant: str) -> tuple[list[InForce], str]:
    """Return the models in force for a tenant, and the name of the default one; raise KafkaAwayError."""
    entries = [one for one in models_in_force(settings) if one.tenant in (tenant, ALL_TENANTS)]
    return entries, f"{DEFAULT.name} {DEFAULT.version}"
