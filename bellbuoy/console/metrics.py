"""Metrics of the console."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

__all__ = ["ACTS", "PAGES", "SINK_UP", "STREAMS", "UPDATES"]

PAGES = Histogram(
    "bellbuoy_console_page_seconds",
    "Time in which a page or a part of one was answered, by route; without live streams.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
STREAMS = Gauge("bellbuoy_console_streams", "Live streams that browsers have open now.")
UPDATES = Counter("bellbuoy_console_updates_total", "Updates read from the serving sink.")
SINK_UP = Gauge("bellbuoy_console_sink_up", "1 while the serving sink answers, else 0.")
ACTS = Counter(
    "bellbuoy_console_acts_total",
    "Acts of people, by kind and outcome (written, refused, failed).",
    ["kind", "outcome"],
)
