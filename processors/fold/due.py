"""
Due time of an account: when time alone may change its score.

An account without events must still be found silent in time. Its state carries the next journal time at which
anything that depends on time can change; the partition's due heap brings it up then.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush

import xxhash

from processors.state.account import State
from processors.view.queries import next_renewal, oldest_due, subscription
from schemas.identity.keys import account_key
from schemas.times import DAY, HOUR, MINUTE

__all__ = ["DueHeap", "daily_due", "earliest", "kpis_due", "next_due", "other_due", "usage_due"]

_DAILY_SPREAD = HOUR
"""The rings move at midnight; accounts are due over the hour after it, so that not all of them are at
once."""

_KPIS_PERIOD = MINUTE
"""An account's KPIs are published at most once in this time; each account has its own time in it."""


def next_due(state: State, now: int) -> int | None:
    """
    Return the next journal time after *now* at which to evaluate the account again, or ``None`` for never.

    Most measures count UTC days and change at midnight, when the rings move. What is counted exactly changes
    in between: silence, the age of open tickets, the days past due and to the renewal, and what counts for a
    number of days after it happened.
    """
    return earliest(usage_due(state, now), other_due(state, now), daily_due(state, now))


def earliest(*times: int | None) -> int | None:
    """Return the earliest of these times; ``None`` is never."""
    first = None
    for time in times:
        if time is not None and (first is None or time < first):
            first = time
    return first


def usage_due(state: State, now: int) -> int | None:
    """Return when a value that usage alone informs changes next, but for midnight."""
    last = state.usage.last_at
    return None if last is None else _next_step(last, now, DAY)


def other_due(state: State, now: int) -> int | None:
    """Return when a value that usage doesn't inform changes next, but for midnight."""
    return min((time for time in _other_times(state, now) if time > now), default=None)


def daily_due(state: State, now: int) -> int | None:
    """Return the account's own time after the next midnight; ``None`` if nothing of it changes by the day."""
    if not _changes_daily(state):
        return None
    return _own_time(state, now, DAY, _DAILY_SPREAD)


def kpis_due(state: State, now: int) -> int:
    """Return when an account that is judged at *now* publishes its KPIs next: at its own time of a minute."""
    if state.kpis_due is not None and state.kpis_due <= now + _KPIS_PERIOD:
        return state.kpis_due
    return _own_time(state, now, _KPIS_PERIOD, _KPIS_PERIOD)


def _own_time(state: State, now: int, period: int, spread: int) -> int:
    """Return the account's own time in the next period; all accounts' times spread over its beginning."""
    own = xxhash.xxh32_intdigest(account_key(state.tenant, state.account_id)) % spread
    return (now - own) // period * period + period + own


def _other_times(state: State, now: int) -> Iterator[int]:
    oldest: int | None = None
    for ticket in state.tickets.values():
        if ticket.open and not ticket.deleted:
            oldest = ticket.opened_at if oldest is None else min(oldest, ticket.opened_at)
            if ticket.severity == "urgent":
                yield _next_step(ticket.opened_at, now, HOUR)
            elif now - ticket.opened_at < 14 * DAY:  # after that the ticket's burden stays
                yield _next_step(ticket.opened_at, now, DAY)
        yield ticket.reopened_at + 28 * DAY
        yield ticket.escalated_at + 28 * DAY
    if oldest is not None:
        yield _next_step(oldest, now, DAY)
    payment_due = oldest_due(state)
    if payment_due is not None:
        yield _next_step(payment_due, now, DAY)
    current = subscription(state)
    if current is not None:
        yield current.downgraded_at[0] + 60 * DAY
    renewal = next_renewal(state, current, now)
    if renewal is not None and renewal > now:
        yield now + (renewal - now) % DAY + 1


def _changes_daily(state: State) -> bool:
    """Tell whether anything known of the account is counted by the day."""
    usage, billing = state.usage, state.billing
    rings = usage.days or usage.users or state.tickets or billing.invoices or billing.subscriptions
    newest = state.surveys or state.engagement or state.aims or state.people or state.asked
    own = state.own or state.own_counts
    return bool(rings or newest or own or "started_at" in state.profile)


def _next_step(since: int, now: int, step: int) -> int:
    """Return the first whole step after *since* that lies after *now*."""
    return since + (max(0, now - since) // step + 1) * step


class DueHeap:
    """Priority queue of a partition's accounts by due time; a superseded entry is dropped when popped."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, bytes]] = []
        self._due: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._due)

    def put(self, key: bytes, due: int | None) -> None:
        """Set the time at which an account is due; ``None``: never."""
        if due is None:
            self._due.pop(key, None)
        elif self._due.get(key) != due:
            self._due[key] = due
            heappush(self._heap, (due, key))
            if len(self._heap) > 4 * len(self._due) + 1_000:
                self._heap = [(due, key) for key, due in self._due.items()]
                heapify(self._heap)

    def peek(self, now: int) -> list[bytes]:
        """Return the accounts due at *now* by key; they stay in the queue until ``put`` moves them."""
        if not self._heap or self._heap[0][0] > now:
            return []
        ready: list[tuple[int, bytes]] = []
        seen: set[bytes] = set()
        while self._heap and self._heap[0][0] <= now:
            due, key = heappop(self._heap)
            if self._due.get(key) == due and key not in seen:
                seen.add(key)
                ready.append((due, key))
        for entry in ready:
            heappush(self._heap, entry)
        return sorted(seen)
