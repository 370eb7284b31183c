"""The report of what a fold changed: metrics, and a log line when a source falls silent or sends again."""

from __future__ import annotations

import structlog

from processors.fold.outcome import Outcome
from processors.silent_sources import silent_feeds
from streams.worker import metrics

__all__ = ["OutcomeReport"]

log = structlog.get_logger(__name__)


class OutcomeReport:
    """Reporter of one partition's outcomes; it remembers the silent sources to log each change once."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._silent: set[tuple[str, str]] = set()

    def report(self, outcome: Outcome, *, accounts: int) -> None:
        """Report a committed outcome, after which the partition has so many accounts."""
        self._report_silent_sources(outcome)
        metrics.SCORED.inc(len(outcome.health))
        metrics.TRANSFERS.inc(len(outcome.transfers))
        metrics.ACCOUNTS.labels(partition=self._partition).set(accounts)
        for _, alert in outcome.alerts:
            metrics.ALERTS.labels(rule=alert.rule, change=alert.change).inc()
        for _, told in outcome.notifications:
            metrics.NOTIFICATIONS.labels(kind=told.kind).inc()

    def _report_silent_sources(self, outcome: Outcome) -> None:
        feeds = silent_feeds(outcome.shared.feeds, outcome.position.written_at)
        last_at = {(feed.tenant, feed.topic): feed.last_at for feed in feeds}
        for tenant, topic in last_at.keys() - self._silent:
            metrics.SILENT.labels(tenant=tenant, topic=topic, partition=self._partition).set(1)
            log.warning(
                "Source silent for every account: its measures are frozen, and nobody is alerted by them.",
                tenant=tenant,
                topic=topic,
                partition=self._partition,
                last_at=last_at[tenant, topic],
            )
        for tenant, topic in self._silent - last_at.keys():
            metrics.SILENT.remove(tenant, topic, self._partition)
            log.info("Silent source sends again.", tenant=tenant, topic=topic, partition=self._partition)
        self._silent = set(last_at)
