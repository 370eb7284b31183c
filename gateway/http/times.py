"""Conversion of event times, as senders write them, to UTC milliseconds."""

from __future__ import annotations

import re
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


_NEAR_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?) ?([+-]\d\d:?\d\d)?(?: ?(?:UTC|GMT|[Zz]))?"
)
"""ISO 8601 as Ruby, Go and others print it: a space before the offset, or UTC by its name."""


def milliseconds(value: str | float, pointer: str) -> int:
    """
    Return an ISO 8601 text or whole milliseconds as UTC milliseconds; a text without offset is UTC.

    ``2026-01-31 09:30:00 +0100`` and ``2026-01-31 09:30:00 UTC`` are read as well. Raises Fault for anything
    else and for a time outside 1970 to 9999.
    """
    if isinstance(value, str):
        moment = _moment(value, pointer)
        at = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH) // _MILLISECOND
    elif isinstance(value, float) and not value.is_integer():
        raise Fault(_FORMS, pointer)
    else:
        at = int(value)
    if not 0 <= at <= _MAX_TIME:
        raise Fault("a time outside the years 1970 to 9999", pointer)
    return at


def _moment(text: str, pointer: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        near = _NEAR_ISO.fullmatch(text.strip())
        try:
            if near is not None:
                return datetime.fromisoformat(f"{near[1]}{near[2] or 'Z'}")
        except ValueError:
            pass  # no such day or hour
        raise Fault(_FORMS, pointer) from error


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
