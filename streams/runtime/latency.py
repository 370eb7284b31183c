"""Histogram of the age of events when a stage is done with them."""

from __future__ import annotations

from prometheus_client import Histogram

__all__ = ["EVENT_LATENCY"]

EVENT_LATENCY = Histogram(
    "bellbuoy_event_latency_seconds",
    "From the gateway (received_at) until the stage was done with what the event changed.",
    ["stage"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
"""One histogram for all stages; a sink's stage has the sink's name."""
