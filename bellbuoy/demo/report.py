"""Report of a demo, with the check that every event is applied, a duplicate, or a dead letter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from bellbuoy.demo.watch import percentile
from bellbuoy.operations.kafka.ledger import (
    EndOffsets,
    InputCounts,
    Ledger,
    count_inputs,
    end_offsets,
    read_ledger,
)
from streams.kafka.cluster import Cluster

__all__ = ["Baseline", "DemoReport", "baseline", "make_report", "report_lines"]


@dataclass(frozen=True, slots=True)
class Baseline:
    """The start of a run: the state's ledger and the topics' ends, while no event is being processed."""

    ledger: Ledger
    ends: EndOffsets


@dataclass(frozen=True, slots=True)
class DemoReport:
    """Totals of a run; latencies in milliseconds, ``None`` where no event was scored."""

    events_in: int
    applied: int
    duplicates: int
    dead_letters: dict[str, int] = field(default_factory=dict)
    accounts_scored: int = 0
    alerts_opened: int = 0
    alerts_resolved: int = 0
    latency_p50_ms: int | None = None
    latency_p99_ms: int | None = None


def baseline(cluster: Cluster) -> Baseline:
    """Return the start of a run, once everything before is drained; raise KafkaAwayError."""
    return Baseline(
        read_ledger(cluster.connection, cluster.topics), end_offsets(cluster.connection, cluster.topics)
    )


def make_report(
    cluster: Cluster,
    since: Baseline,
    latencies: Counter[int],
    acknowledged: int,
    repeated: int,
) -> tuple[DemoReport, list[str]]:
    """
    Return the report of a drained run and every contradiction in it, in words; there must be none.

    ``acknowledged`` counts the events that the gateway answered with 200, ``repeated`` those sent again
    after an unclear answer. Raises KafkaAwayError.
    """
    after, counts = read_ledger(cluster.connection, cluster.topics), count_inputs(cluster, since.ends)
    report = DemoReport(
        events_in=counts.events_in,
        applied=sum(after.applied.values()) - sum(since.ledger.applied.values()),
        duplicates=after.total("duplicates") - since.ledger.total("duplicates"),
        dead_letters=dict(sorted(counts.dead_letters.items())),
        accounts_scored=counts.scored,
        alerts_opened=counts.opened,
        alerts_resolved=counts.resolved,
        latency_p50_ms=percentile(latencies, 0.5),
        latency_p99_ms=percentile(latencies, 0.99),
    )
    return report, list(_contradictions(report, since.ledger, after, counts, acknowledged, repeated))


def report_lines(report: DemoReport) -> list[str]:
    """Return the report as text for people."""
    dead = ", ".join(f"{count:,} {reason}" for reason, count in report.dead_letters.items()) or "none"
    return [
        (
            f"{report.events_in:,} events in = {report.applied:,} applied + {report.duplicates:,} duplicates "
            f"+ {sum(report.dead_letters.values()):,} dead letters ({dead})"
        ),
        (
            f"{report.accounts_scored:,} accounts scored, {report.alerts_opened:,} alerts opened, "
            f"{report.alerts_resolved:,} resolved"
        ),
        f"event to score: p50 {report.latency_p50_ms} ms, p99 {report.latency_p99_ms} ms",
    ]


def _contradictions(
    report: DemoReport, before: Ledger, after: Ledger, counts: InputCounts, acknowledged: int, repeated: int
) -> Iterator[str]:
    dead = sum(report.dead_letters.values())
    accounted = report.applied + report.duplicates + dead
    if accounted != report.events_in:
        yield f"{report.events_in} events came in, but {accounted} are accounted for"
    by_position = after.total("applied") - before.total("applied")
    if by_position != report.applied:
        yield f"the accounts' states hold {report.applied} events, the positions say {by_position}"
    journaled = after.total("dead_letters") - before.total("dead_letters")
    if journaled != dead - counts.refused:
        yield f"the journal made {journaled} dead letters, but {dead - counts.refused} are on the topic"
    offered = report.events_in - counts.linked
    if offered < acknowledged:
        yield f"{acknowledged} events were acknowledged, but only {offered} are on the topics"
    # An event that was sent again may be on the topic twice.
    elif offered > acknowledged + repeated:
        more = offered - acknowledged - repeated
        yield f"{more} more events are on the topics than were simulated: did somebody else post?"
