"""Conversion of event times, as senders write them, to UTC milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.http.errors import Fault
from schemas.times import DAY, EPOCH

__all__ = ["milliseconds", "seconds", "unskewed"]

_MILLISECOND = timedelta(milliseconds=1)
_MAX_TIME = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z in UTC milliseconds."""

_MIN_SKEW_MS = 5_000
_MAX_SKEW_MS = DAY


_FORMS = "not a time: use ISO 8601, like 2026-01-31T09:30:00Z, or UTC milliseconds"


def milliseconds(value: str | float, pointer: str) -> int:
    """
    Return an ISO 8601 text or whole milliseconds as UTC milliseconds; a text without offset is UTC.

    Raises Fault for anything else and for a time outside 1970 to 9999.
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError as error:
            raise Fault(_FORMS, pointer) from error
        at = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH) // _MILLISECOND
    elif isinstance(value, float) and not value.is_integer():
        raise Fault(_FORMS, pointer)
    else:
        at = int(value)
    if not 0 <= at <= _MAX_TIME:
        raise Fault("a time outside the years 1970 to 9999", pointer)
    return at


def seconds(value: int, pointer: str) -> int:
    """Return UTC seconds as UTC milliseconds; raise Fault for a time outside 1970 to 9999."""
    return milliseconds(value * 1000, pointer)


def unskewed(at: int, sent_at: int | None, received_at: int) -> int:
    """
    Return an event's time corrected by the skew of the clock that stamped it; UTC milliseconds.

    Segment's rule: timestamp = receivedAt - (sentAt - originalTimestamp). It is applied only where
    ``sent_at`` differs from ``received_at`` by 5 s to 24 h. A smaller difference is network delay. A larger
    one is no wrong clock but deliberate, as in an import or a simulation.
    Source: https://segment.com/docs/connections/spec/common/#timestamps
    """
    if sent_at is None or not _MIN_SKEW_MS <= abs(received_at - sent_at) <= _MAX_SKEW_MS:
        return at
    return min(max(received_at - (sent_at - at), 0), _MAX_TIME)
