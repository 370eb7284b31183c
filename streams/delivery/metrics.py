"""Metrics of delivery, each by sink."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "BATCH",
    "DEAD_LETTERS",
    "ERRORS",
    "LAG",
    "LAST_SUCCESS",
    "REFILLS",
    "RETRIES",
    "WAITING",
    "WRITE_SECONDS",
]

WRITE_SECONDS = Histogram(
    "bellbuoy_sink_write_seconds",
    "One attempt to write a batch.",
    ["sink"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
BATCH = Histogram(
    "bellbuoy_sink_batch_size",
    "Records in a written batch.",
    ["sink"],
    buckets=(1, 10, 50, 100, 500, 1000, 2000),
)
RETRIES = Counter("bellbuoy_sink_retries_total", "Batches offered again after a failure.", ["sink"])
ERRORS = Counter("bellbuoy_sink_errors_total", "Writes and openings the sink refused or failed.", ["sink"])
DEAD_LETTERS = Counter(
    "bellbuoy_sink_parked_total", "Records sent to the dead-letter topic.", ["sink", "reason"]
)
REFILLS = Counter(
    "bellbuoy_sink_refills_total", "Partitions delivered again because the sink lost what it held.", ["sink"]
)
WAITING = Gauge(
    "bellbuoy_sink_waiting_records",
    "Notifications of a channel that wait for their next attempt while others pass.",
    ["sink"],
)
LAG = Gauge("bellbuoy_sink_lag_messages", "Records not yet written.", ["sink", "topic", "partition"])
LAST_SUCCESS = Gauge(
    "bellbuoy_sink_last_success_timestamp_seconds", "When the sink last took a batch, Unix time.", ["sink"]
)
