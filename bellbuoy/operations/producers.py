"""Producers of a tenant by the reports of all gateways: what came from each, and how it has changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
from confluent_kafka import TopicPartition

from bellbuoy.operations.kafka.retry import retry_while_leaderless
from bellbuoy.settings import Settings
from schemas.producer_reports import DriftWarning, EventKind, ProducerReport, decode_report
from schemas.times import DAY
from schemas.topics import PRODUCERS_TOPIC
from streams.kafka.log_reader import read_to_end

__all__ = ["Producer", "merged", "producers"]

_WARNED_MS = DAY
"""After so long a change is how a producer is by now, whether its gateway is still there to say so or not."""


@dataclass(frozen=True, slots=True)
class Producer:
    """
    One producer of a tenant, and what it sends by all gateways.

    ``events`` came since ``since``, when the first of these gateways heard of it, UTC milliseconds. ``kinds``
    are the newest first; ``warnings`` are open, the oldest first.
    """

    name: str
    source: str
    events: int
    since: int
    last_at: int
    kinds: list[EventKind]
    warnings: list[DriftWarning]


def producers(settings: Settings, tenant: str, now: int) -> list[Producer]:
    """Return the producers of a tenant by name; raise KafkaAwayError. ``now`` is UTC milliseconds."""
    kafka = settings.kafka
    topics = kafka.topics()

    def read() -> list[ProducerReport]:
        starts = [
            TopicPartition(topics.name(PRODUCERS_TOPIC), number, 0) for number in range(topics.partitions)
        ]
        newest: dict[bytes, ProducerReport] = {}
        for record in read_to_end(kafka.connection(), starts):
            if record.key is None or record.value is None:
                continue
            try:
                newest[record.key] = decode_report(record.value)
            except msgspec.DecodeError:
                continue  # not ours
        return [report for report in newest.values() if report.tenant == tenant]

    return merged(retry_while_leaderless(kafka.connection(), read), now)


def merged(reports: Iterable[ProducerReport], now: int) -> list[Producer]:
    """Return the producers of a tenant by the newest reports of its gateways, at ``now``."""
    of: defaultdict[str, list[ProducerReport]] = defaultdict(list)
    for report in reports:
        of[report.producer].append(report)
    return [_merged(name, of[name], now) for name in sorted(of)]


def _merged(name: str, reports: list[ProducerReport], now: int) -> Producer:
    kinds: dict[str, EventKind] = {}
    for one in (kind for report in reports for kind in report.kinds):
        known = kinds.get(one.event, EventKind(event=one.event, looked_at=0, last_at=0))
        kinds[one.event] = EventKind(
            event=one.event,
            looked_at=known.looked_at + one.looked_at,
            last_at=max(known.last_at, one.last_at),
        )
    last_at = max(report.last_at for report in reports)
    warnings: dict[tuple[str, str, str], DriftWarning] = {}
    for warning in (each for report in reports for each in report.warnings):
        key = warning.kind, warning.event, warning.pointer
        earlier = warnings.get(key)
        if now - warning.since < _WARNED_MS and not _is_over(warning, last_at, kinds):
            warnings[key] = warning if earlier is None or warning.since < earlier.since else earlier
    return Producer(
        name,
        reports[0].source,
        sum(report.events for report in reports),
        min(report.since for report in reports),
        last_at,
        sorted(kinds.values(), key=lambda kind: (-kind.last_at, kind.event)),
        sorted(warnings.values(), key=lambda warning: (warning.since, warning.event, warning.pointer)),
    )


def _is_over(warning: DriftWarning, last_at: int, kinds: dict[str, EventKind]) -> bool:
    """Tell whether what is missed at one gateway came to another since."""
    if warning.kind == "silent":
        return last_at > warning.since
    return (
        warning.kind == "stopped" and warning.event in kinds and kinds[warning.event].last_at > warning.since
    )
