"""Functions for the wall clock and for times that people type."""

from __future__ import annotations

import time
from datetime import UTC, datetime

__all__ = ["now", "utc_milliseconds"]


def now() -> int:
    """Return the wall clock's time, UTC milliseconds."""
    return time.time_ns() // 1_000_000


def utc_milliseconds(text: str) -> int:
    """Return an ISO 8601 date or time (UTC unless it names a zone) in UTC milliseconds; raise ValueError."""
    try:
        typed = datetime.fromisoformat(text)
        return round((typed if typed.tzinfo else typed.replace(tzinfo=UTC)).timestamp() * 1000)
    except OverflowError:
        raise ValueError(f"{text!r} is outside the calendar") from None
