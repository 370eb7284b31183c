"""The demo's account of itself: every event in is applied, a duplicate, or a dead letter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from bellbuoy.demo.watch import percentile
from bellbuoy.operations.ledger import Books, Ends, Ledger, books, ends, ledger
from schemas.topics import Topics

__all__ = ["Baseline", "DemoReport", "baseline", "draw_up", "lines"]


@dataclass(frozen=True, slots=True)
class Baseline:
    """Where a run begins: the state's ledger and the topics' ends, with nothing under way."""

    ledger: Ledger
    ends: Ends


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What a run came to; latencies in milliseconds, ``None`` where no event was scored."""

    events_in: int
    applied: int
    duplicates: int
    dead_letters: dict[str, int] = field(default_factory=dict)
    accounts_scored: int = 0
    alerts_opened: int = 0
    alerts_resolved: int = 0
    latency_p50_ms: int | None = None
    latency_p99_ms: int | None = None


def baseline(bootstrap: str, topics: Topics) -> Baseline:
    """Return where a run begins; everything before must be drained. Raises KafkaAwayError."""
    return Baseline(ledger(bootstrap, topics), ends(bootstrap, topics))


def draw_up(
    bootstrap: str, topics: Topics, since: Baseline, latencies: Counter[int], acknowledged: int, repeated: int
) -> tuple[DemoReport, list[str]]:
    """
    Return the report of a drained run and every contradiction in it, in words; none is as it must be.

    ``acknowledged`` are the events that the gateway answered with 200, ``repeated`` those sent again
    after an unclear answer. Raises KafkaAwayError.
    """
    now, found = ledger(bootstrap, topics), books(bootstrap, topics, since.ends)
    report = DemoReport(
        events_in=found.events_in,
        applied=sum(now.applied.values()) - sum(since.ledger.applied.values()),
        duplicates=now.total("duplicates") - since.ledger.total("duplicates"),
        dead_letters=dict(sorted(found.letters.items())),
        accounts_scored=found.scored,
        alerts_opened=found.opened,
        alerts_resolved=found.resolved,
        latency_p50_ms=percentile(latencies, 0.5),
        latency_p99_ms=percentile(latencies, 0.99),
    )
    return report, list(_contradictions(report, since.ledger, now, found, acknowledged, repeated))


def lines(report: DemoReport) -> list[str]:
    """Return the report for people."""
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
    report: DemoReport, before: Ledger, after: Ledger, found: Books, acknowledged: int, repeated: int
) -> Iterator[str]:
    dead = sum(report.dead_letters.values())
    accounted = report.applied + report.duplicates + dead
    if accounted != report.events_in:
        yield f"{report.events_in} events came in, but {accounted} are accounted for"
    by_position = after.total("applied") - before.total("applied")
    if by_position != report.applied:
        yield f"the accounts' states hold {report.applied} events, the positions say {by_position}"
    journaled = after.total("dead_letters") - before.total("dead_letters")
    if journaled != dead - found.refused:
        yield f"the journal set {journaled} records aside, but {dead - found.refused} letters are there"
    offered = report.events_in - found.linked
    if offered < acknowledged:
        yield f"{acknowledged} events were acknowledged, but only {offered} are on the topics"
    # What was offered again may have landed twice.
    elif offered > acknowledged + repeated:
        more = offered - acknowledged - repeated
        yield f"{more} more events are on the topics than were simulated: did somebody else post?"
