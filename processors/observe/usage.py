"""Product usage: days, users and features."""

from __future__ import annotations

from array import array

from processors.state.account import Day, State
from processors.state.usage_parts import FEATURES, USERS
from schemas.records import UsageCell

__all__ = ["active_days", "later_active", "observe_usage"]

_MASK = 0xFFFFFFFF


def observe_usage(state: State, cell: UsageCell) -> int:
    """
    Add a cell of rolled-up usage to its day.

    Returns which parts of the usage it changed beside the sums of that day: ``USERS`` when one was seen on a
    day on which it wasn't before, ``FEATURES`` likewise.
    """
    usage, today, changed = state.usage, cell.day, 0
    day = usage.days.get(today)
    if day is None:
        day = usage.days[today] = Day()
    day.events += cell.events
    day.errors += cell.errors
    day.duration_ms += cell.duration_ms
    day.latency_ms += cell.latency_ms
    day.latencies += cell.latencies
    users = usage.users
    for user in array("I", cell.users):
        known = users.get(user)
        active = _active(known, today)
        if active != known:
            users[user] = active
            changed |= USERS
    features = usage.features
    for feature in cell.features:
        if today > features.get(feature, -1):
            features[feature] = today
            changed |= FEATURES
    if usage.first_at is None or cell.first_at < usage.first_at:
        usage.first_at = cell.first_at
    if usage.last_at is None or cell.last_at > usage.last_at:
        usage.last_at = cell.last_at
    state.applied += cell.events
    return changed


def _active(known: int | None, day: int) -> int:
    if known is None:
        return day << 32 | 1
    last, mask = known >> 32, known & _MASK
    if day > last:
        shift = day - last
        return day << 32 | ((mask << shift | 1) & _MASK if shift < 32 else 1)
    behind = last - day
    return known | 1 << behind if behind < 32 else known


def active_days(known: int) -> list[int]:
    """Return the UTC days a user was active on, newest first, of the 32 up to the last."""
    last, mask = known >> 32, known & _MASK
    return [last - i for i in range(32) if mask >> i & 1]


def later_active(one: int, other: int) -> int:
    """Return what two places know of one user's days, up to the later last day of the two."""
    last, mask = max(one, other) >> 32, 0
    for known in (one, other):
        behind = last - (known >> 32)
        mask |= (known << behind) & _MASK if behind < 32 else 0
    return last << 32 | mask
