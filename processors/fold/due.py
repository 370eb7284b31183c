"""
When time alone may change an account's score.

An account without events must still fall silent on time. Its state carries the next journal time at
which anything time-dependent can change; the partition's due heap wakes it then.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush

import xxhash

from processors.measures.queries import oldest_due, subscription
from processors.state.account import State
from schemas.identity.keys import account_key
from schemas.times import DAY, HOUR, MINUTE

__all__ = ["DueHeap", "kpis_due", "next_due", "other_due", "soonest", "turn", "usage_due"]

SPREAD = HOUR
"""Midnight's ring shift is spread over this long, so that not every account is due at once."""

_KPIS_EVERY = MINUTE
"""An account's KPIs are published at most this often; each account has its own moment in it."""


def next_due(state: State, now: int) -> int | None:
    """
    Return the next journal time after *now* to look at the account again, or ``None`` for never.

    Most measures count UTC days and change at midnight, when the rings turn. What is counted exactly
    changes between: silence, the age of open tickets, the days past due and to the renewal, and what
    counts for a number of days after it happened.
    """
    return soonest(usage_due(state, now), other_due(state, now), turn(state, now))


def soonest(*moments: int | None) -> int | None:
    """Return the earliest of these moments; ``None`` is never."""
    earliest = None
    for moment in moments:
        if moment is not None and (earliest is None or moment < earliest):
            earliest = moment
    return earliest


def usage_due(state: State, now: int) -> int | None:
    """Return when what usage alone informs changes next, but for midnight."""
    last = state.usage.last_at
    return None if last is None else _next(last, now, DAY)


def other_due(state: State, now: int) -> int | None:
    """Return when anything that usage doesn't inform changes next, but for midnight."""
    return min((moment for moment in _others(state, now) if moment > now), default=None)


def turn(state: State, now: int) -> int | None:
    """Return when it is the account's turn after the next midnight, if anything of it ages by the day."""
    if not _ages(state):
        return None
    return _turn(state, now, DAY, SPREAD)


def kpis_due(state: State, now: int) -> int:
    """Return when an account judged at *now* publishes its KPIs next: on its turn within a minute."""
    if state.kpis_due is not None and state.kpis_due <= now + _KPIS_EVERY:
        return state.kpis_due
    return _turn(state, now, _KPIS_EVERY, _KPIS_EVERY)


def _turn(state: State, now: int, every: int, over: int) -> int:
    """Return the account's own moment of the next period, where all of them are spread over a part of it."""
    spread = xxhash.xxh32_intdigest(account_key(state.tenant, state.account_id)) % over
    return (now - spread) // every * every + every + spread


def _others(state: State, now: int) -> Iterator[int]:
    oldest: int | None = None
    for ticket in state.tickets.values():
        if ticket.open and not ticket.deleted:
            oldest = ticket.opened_at if oldest is None else min(oldest, ticket.opened_at)
            if ticket.severity == "urgent":
                yield _next(ticket.opened_at, now, HOUR)
            elif now - ticket.opened_at < 14 * DAY:  # after that the burden stays
                yield _next(ticket.opened_at, now, DAY)
        yield ticket.reopened_at + 28 * DAY
        yield ticket.escalated_at + 28 * DAY
    if oldest is not None:
        yield _next(oldest, now, DAY)
    due = oldest_due(state)
    if due is not None:
        yield _next(due, now, DAY)
    current = subscription(state)
    if current is not None:
        yield current.downgraded_at[0] + 60 * DAY
        if current.renews_at is not None and current.renews_at > now:
            yield now + (current.renews_at - now) % DAY + 1


def _ages(state: State) -> bool:
    """Tell whether anything known of the account ages by the day."""
    usage, billing = state.usage, state.billing
    rings = usage.days or usage.users or state.tickets or billing.invoices or billing.subscriptions
    held = state.surveys or state.engagement or state.aims or state.people or state.asked
    return bool(rings or held or "started_at" in state.profile)


def _next(since: int, now: int, step: int) -> int:
    """Return the first whole step after *since* that lies after *now*."""
    return since + (max(0, now - since) // step + 1) * step


class DueHeap:
    """The accounts of one partition by the time they are due; a forgotten entry is skipped when popped."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, bytes]] = []
        self._due: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._due)

    def put(self, key: bytes, due: int | None) -> None:
        """Set or clear the time an account is due."""
        if due is None:
            self._due.pop(key, None)
        elif self._due.get(key) != due:
            self._due[key] = due
            heappush(self._heap, (due, key))
            if len(self._heap) > 4 * len(self._due) + 1_000:
                self._heap = [(due, key) for key, due in self._due.items()]
                heapify(self._heap)

    def peek(self, now: int) -> list[bytes]:
        """Return the accounts due at *now* by key; they stay until put elsewhere."""
        if not self._heap or self._heap[0][0] > now:
            return []
        ready: list[tuple[int, bytes]] = []
        seen: set[bytes] = set()
        while self._heap and self._heap[0][0] <= now:
            due, key = heappop(self._heap)
            if self._due.get(key) == due and key not in seen:
                seen.add(key)
                ready.append((due, key))
        for item in ready:
            heappush(self._heap, item)
        return sorted(seen)
