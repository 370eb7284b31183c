"""Event times as clients write them, in UTC milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.http.errors import Fault
from schemas.times import DAY, EPOCH

__all__ = ["milliseconds", "seconds", "unskewed"]

_MS = timedelta(milliseconds=1)
_LAST = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z."""
_NOISE_MS = 5_000
_DELIBERATE_MS = DAY


def milliseconds(value: str | int, pointer: str) -> int:
    """
    Return an ISO 8601 text or integer milliseconds as UTC milliseconds; a text without offset is UTC.

    Raises Fault for anything else and outside 1970 to 9999.
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError as error:
            raise Fault(
                "not a time: use ISO 8601, like 2026-01-31T09:30:00Z, or UTC milliseconds", pointer
            ) from error
        at = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH) // _MS
    else:
        at = value
    if not 0 <= at <= _LAST:
        raise Fault("a time outside the years 1970 to 9999", pointer)
    return at


def seconds(value: int, pointer: str) -> int:
    """Return UTC seconds, as Stripe writes times, as milliseconds; raise Fault outside 1970 to 9999."""
    return milliseconds(value * 1000, pointer)


def unskewed(at: int, sent_at: int | None, received_at: int) -> int:
    """
    Return an event's time freed of the skew of the clock that stamped it.

    Segment's rule: timestamp = receivedAt - (sentAt - originalTimestamp). It holds only where ``sent_at``
    is 5 s to 24 h off: less is the network's doing; more is not a wrong clock but deliberate time, as in
    an import or a simulation. Source: https://segment.com/docs/connections/spec/common/#timestamps
    """
    if sent_at is None or not _NOISE_MS <= abs(received_at - sent_at) <= _DELIBERATE_MS:
        return at
    return min(max(received_at - (sent_at - at), 0), _LAST)
