"""Prometheus metrics of the worker."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "ACCOUNTS",
    "ALERTS",
    "APPLIED",
    "BATCHES",
    "COMMIT_SECONDS",
    "FOLD_SECONDS",
    "NOTIFICATIONS",
    "PARTITIONS",
    "REBALANCES",
    "RESTORE_SECONDS",
    "REWINDS",
    "SCORED",
    "SILENT",
    "TRANSFERS",
]

_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
BATCHES = Counter("bellbuoy_journal_batches_applied_total", "Journal batches folded and committed.")
APPLIED = Counter("bellbuoy_events_applied_total", "Events of all topics folded into states.")
SCORED = Counter("bellbuoy_health_records_total", "Health records published.")
TRANSFERS = Counter(
    "bellbuoy_account_transfers_total", "Transfers of evidence to the account that it belongs to."
)
ALERTS = Counter("bellbuoy_alerts_total", "Alert changes published.", ["rule", "change"])
NOTIFICATIONS = Counter("bellbuoy_notifications_total", "Notifications decided for people.", ["kind"])
REWINDS = Counter("bellbuoy_journal_rewinds_total", "Gaps in the journal's sequence, read again.")
REBALANCES = Counter("bellbuoy_worker_rebalances_total", "Assignments received.")
PARTITIONS = Gauge("bellbuoy_worker_assigned_partitions", "Partitions owned now.")
ACCOUNTS = Gauge("bellbuoy_table_keys", "Accounts in the state table.", ["partition"])
FOLD_SECONDS = Histogram("bellbuoy_fold_seconds", "Folding one journal batch.", buckets=_BUCKETS)
COMMIT_SECONDS = Histogram("bellbuoy_commit_seconds", "Committing one journal batch.", buckets=_BUCKETS)
RESTORE_SECONDS = Histogram(
    "bellbuoy_restore_seconds",
    "Taking a partition over: fencing and reading the changelog.",
    buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
)
SILENT = Gauge(
    "bellbuoy_source_silent",
    "1 while a tenant's input has been silent for every account for longer than it ever is.",
    ["tenant", "topic", "partition"],
)
