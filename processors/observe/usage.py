"""Product usage: days, users and features."""

from __future__ import annotations

from array import array

from processors.state.account import Day, State
from processors.state.activity import with_day
from processors.state.usage_parts import FEATURES, USERS
from schemas.records import UsageCell

__all__ = ["observe_usage"]


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
        before = users.get(user)
        after = with_day(before, today)
        if after != before:
            users[user] = after
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
