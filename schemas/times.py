"""Units of time in milliseconds, UTC day numbers, and times as ISO 8601; no clock is read here."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

__all__ = ["DAY", "EPOCH", "HOUR", "MINUTE", "SECOND", "day_number", "iso"]

SECOND = 1_000
"""Milliseconds of a second."""

MINUTE = 60 * SECOND
"""Milliseconds of a minute."""

HOUR = 60 * MINUTE
"""Milliseconds of an hour."""

DAY = 24 * HOUR
"""Milliseconds of a UTC day."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The time from which UTC milliseconds are counted."""

_FIRST_DAY = EPOCH.date().toordinal()


def day_number(day: date) -> int:
    """Return a date as a UTC day number: the days since 1970-01-01."""
    return day.toordinal() - _FIRST_DAY


def iso(milliseconds: int) -> str:
    """Return UTC milliseconds as ISO 8601 with ``Z``, or as digits where the year is not in the calendar."""
    try:
        time = EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return str(milliseconds)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
