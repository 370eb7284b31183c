"""
The bounds of a state: rings by time, and limits for what a flood of events could grow without end.

Within the rings and limits the order of events changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import nlargest
from typing import Any, TypeVar

from processors.observe.retract import retract
from processors.state.account import RING_DAYS, Person, State, Subscription
from processors.state.activity import last_day, least_activity
from schemas.times import DAY

__all__ = ["HELD_DAYS", "bound", "evict"]

HELD_DAYS = 400
"""Days for which the newest of a rare event is kept: a survey's answer, advocacy, a training."""

MAX_USERS = 20_000
"""Users, the last active ones; others no longer count as active."""

MAX_FEATURES = 500
"""Features, the last used ones; others no longer count as used."""

MAX_TICKETS = 2_000
"""Tickets, those with the newest event; others are forgotten."""

MAX_INVOICES = 1_000
"""Invoices, those with the newest event; others are forgotten."""

MAX_SUBSCRIPTIONS = 200
"""Subscriptions, those whose status is the newest; others are forgotten."""

MAX_SURVEYS = 2_000
"""Survey answers, and as many people who were asked: the newest of each; others are forgotten."""

MAX_MRR_DAYS = 120
"""Days on which the revenue of a subscription changed, the newest; others are forgotten."""

MAX_KINDS = 64
"""Kinds of contacts and other events whose times are kept, those with the newest time."""

MAX_AIMS = 200
"""Goals and milestones, those with the newest event; others are forgotten."""

MAX_PEOPLE = 500
"""People, the newest; those with a role (champion, sponsor) are forgotten last."""

MAX_RETRACTED = 1_000
"""Tombstones of tickets, invoices and goals that were taken back, the newest."""

K = TypeVar("K", int, str)
V = TypeVar("V")

_EMAILS = ("email_sent", "email_received")


def evict(state: State, now: int) -> None:
    """Drop what has left the rings; *now* is journal time. The rest of the state doesn't change."""
    first = now // DAY - RING_DAYS
    since, held = first * DAY, (now // DAY - HELD_DAYS) * DAY
    usage = state.usage
    usage.days = {day: bucket for day, bucket in usage.days.items() if day >= first}
    least = least_activity(first)
    usage.users = {user: activity for user, activity in usage.users.items() if activity >= least}
    usage.features = {feature: day for feature, day in usage.features.items() if day >= first}
    _evict_tickets(state, since)
    state.billing.invoices = {
        key: invoice
        for key, invoice in state.billing.invoices.items()
        if invoice.last_at >= since or (not invoice.settled and (invoice.failures or invoice.due_at))
    }
    for subscription in state.billing.subscriptions.values():
        _thin(subscription, first)
    _evict_surveys(state, since, held)
    for kind, times in list(state.moments.items()):
        kept = [at for at in times if at >= (since if kind in _EMAILS else held)]
        if len(kept) != len(times):
            state.moments[kind] = kept
            if not kept:
                del state.moments[kind]
    state.people = {
        key: person for key, person in state.people.items() if person.role or _last(person) >= held
    }
    # Nothing older than the rings is admitted, so nothing can come any more that a tombstone must stop.
    state.retracted = {key: gone for key, gone in state.retracted.items() if gone.at >= since}
    state.asked = {key: at for key, at in state.asked.items() if at >= since}


def _evict_tickets(state: State, since: int) -> None:
    for key in [key for key, ticket in state.tickets.items() if ticket.deleted]:  # as older builds wrote them
        retract(state, "ticket", key, state.tickets.pop(key).last_at)
    state.tickets = {
        key: ticket for key, ticket in state.tickets.items() if ticket.last_at >= since or ticket.open
    }


def _evict_surveys(state: State, since: int, held: int) -> None:
    """Keep the answers in the ring, and before it the newest of each person and kind."""
    newest: dict[tuple[str, str], int] = {}
    for key, ((at, _), kind, _) in state.surveys.items():
        person = key.partition("\n")[2]
        newest[person, kind] = max(newest.get((person, kind), held), at)
    state.surveys = {
        key: answer
        for key, answer in state.surveys.items()
        if answer[0][0] >= since or answer[0][0] == newest[key.partition("\n")[2], answer[1]]
    }


def _thin(subscription: Subscription, first: int) -> None:
    """Of the revenue before the ring keep the changes only: nothing can come between them any more."""
    steps = subscription.mrr_days
    if len(steps) < 2:
        return
    kept: dict[int, Any] = {}
    before: int | None = None
    for day, step in steps.items():
        if day >= first or step[1] != before:
            kept[day] = step
        before = step[1]
    if len(kept) != len(steps):
        subscription.mrr_days = kept


def bound(state: State) -> None:
    """Keep only the newest of what a flood could grow without end; see docs/operations.md for the bounds."""
    usage, billing = state.usage, state.billing
    usage.users = _newest(usage.users, MAX_USERS, lambda kv: (last_day(kv[1]), kv[0]))
    usage.features = _newest(usage.features, MAX_FEATURES, lambda kv: (kv[1], kv[0]))
    state.tickets = _newest(state.tickets, MAX_TICKETS, lambda kv: (kv[1].last_at, kv[0]))
    billing.invoices = _newest(billing.invoices, MAX_INVOICES, lambda kv: (kv[1].last_at, kv[0]))
    billing.subscriptions = _newest(
        billing.subscriptions, MAX_SUBSCRIPTIONS, lambda kv: (kv[1].status_at, kv[0])
    )
    for subscription in billing.subscriptions.values():
        if len(subscription.mrr_days) > MAX_MRR_DAYS:
            subscription.mrr_days = dict(list(subscription.mrr_days.items())[-MAX_MRR_DAYS:])
    state.surveys = _newest(state.surveys, MAX_SURVEYS, lambda kv: (kv[1][0], kv[0]))
    state.asked = _newest(state.asked, MAX_SURVEYS, lambda kv: (kv[1], kv[0]))
    state.moments = _newest(state.moments, MAX_KINDS, lambda kv: (kv[1][-1], kv[0]))
    state.aims = _newest(state.aims, MAX_AIMS, lambda kv: (kv[1].last_at, kv[0]))
    state.people = _newest(state.people, MAX_PEOPLE, lambda kv: (bool(kv[1].role), _last(kv[1]), kv[0]))
    state.retracted = _newest(state.retracted, MAX_RETRACTED, lambda kv: (kv[1].at, kv[0]))


def _newest(known: dict[K, V], most: int, by: Callable[[tuple[K, V]], Any]) -> dict[K, V]:
    return known if len(known) <= most else dict(nlargest(most, known.items(), by))


def _last(person: Person) -> int:
    return max(person.role_at[0], person.left_at, person.contact_at)
