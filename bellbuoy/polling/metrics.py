"""Prometheus metrics of the poller. No label ever carries an account, a user or an address."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

__all__ = ["ERRORS", "ITEMS", "LAST_ROUND", "OUTCOMES", "PAGE_SECONDS", "start_series"]

OUTCOMES = ("event", "ignored", "dead_letter")
KINDS = ("away", "throttled", "refused", "unexpected")

ITEMS = Counter(
    "bellbuoy_poll_items_total", "Items read from vendors, by what became of them.", ["source", "outcome"]
)
ERRORS = Counter(
    "bellbuoy_poll_errors_total",
    "Pages that a vendor did not give: it was away, asked for patience, refused, or answered something else.",
    ["source", "kind"],
)
PAGE_SECONDS = Histogram(
    "bellbuoy_poll_page_seconds",
    "Time from the request for a page to the commit of its events and cursor.",
    ["source"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
LAST_ROUND = Gauge(
    "bellbuoy_poll_last_round_timestamp_seconds",
    "When a stream was last read to its end.",
    ["tenant", "source", "stream"],
)


def start_series(source: str) -> None:
    """Start the series of a source at zero: without it Prometheus can't see the first increase."""
    for outcome in OUTCOMES:
        ITEMS.labels(source, outcome)
    for kind in KINDS:
        ERRORS.labels(source, kind)
    PAGE_SECONDS.labels(source)
