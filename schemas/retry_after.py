"""The HTTP header Retry-After."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime

__all__ = ["retry_after_seconds"]


def retry_after_seconds(value: str, now: datetime) -> float | None:
    """
    Return the seconds that a Retry-After header asks for, at least 0, or ``None`` where it says nothing.

    It is a number of seconds, or a date after ``now`` (RFC 9110, section 10.2.3).
    """
    if value.isdecimal():
        return float(value)
    try:
        asked = parsedate_to_datetime(value) - now
    except (TypeError, ValueError):
        return None
    return max(0.0, asked.total_seconds())
