"""Prometheus metrics of the journal stage."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "BATCHES",
    "CLOCK_SKEW",
    "CONSUMED",
    "DEAD_LETTERS",
    "DUPLICATES",
    "ERASED",
    "MISPLACED",
    "PARTITIONS",
    "REBALANCES",
    "RESTORE_SECONDS",
    "TRANSACTION_SECONDS",
    "WAITING_RECORDS",
    "WRITTEN_AT",
]

CONSUMED = Counter("bellbuoy_events_consumed_total", "Input events read.", ["topic"])
DUPLICATES = Counter("bellbuoy_duplicates_total", "Events dropped as already seen.")
ERASED = Counter(
    "bellbuoy_erased_events_total", "Events dropped as of somebody who was erased after they occurred."
)
MISPLACED = Counter("bellbuoy_misplaced_records_total", "Events moved to the partition of their key.")
DEAD_LETTERS = Counter(
    "bellbuoy_dead_letters_total", "Events sent to the dead-letter topic.", ["topic", "reason"]
)
BATCHES = Counter("bellbuoy_journal_batches_total", "Batches written.", ["kind"])
REBALANCES = Counter("bellbuoy_journal_rebalances_total", "Assignments received.")
PARTITIONS = Gauge("bellbuoy_journal_assigned_partitions", "Partitions owned now.")
WRITTEN_AT = Gauge(
    "bellbuoy_journal_written_timestamp_seconds", "Journal time of the newest batch.", ["partition"]
)
CLOCK_SKEW = Gauge(
    "bellbuoy_journal_clock_skew_seconds",
    "How far this host's clock is ahead of that of the partition's broker.",
    ["partition"],
)
WAITING_RECORDS = Gauge(
    "bellbuoy_input_waiting_records",
    "Records that can't be read, because a producer's transaction before them has been open for too long.",
    ["topic", "partition"],
)
TRANSACTION_SECONDS = Histogram(
    "bellbuoy_journal_transaction_seconds",
    "From packing a batch to its commit.",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
RESTORE_SECONDS = Histogram(
    "bellbuoy_journal_restore_seconds",
    "Taking a partition over: fencing, position, dedupe window.",
    buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
)
