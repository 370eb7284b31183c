"""
The bounds of a state: rings by time, and limits for what a flood of events could grow without end.

Within the rings and limits the order of events changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import nlargest
from typing import Any, NamedTuple, TypeVar

from processors.observe.retract import retract
from processors.state.account import (
    RING_DAYS,
    Aim,
    Billing,
    Invoice,
    Link,
    NoteValue,
    OverrideValue,
    Person,
    Retraction,
    Stamp,
    State,
    Subscription,
    SubscriptionSnapshot,
    TaskValue,
    Usage,
)
from processors.state.activity import last_day, least_activity
from processors.state.own import MAX_OWN, OwnCount, OwnFact
from schemas.times import DAY

__all__ = ["HELD_DAYS", "bound", "evict"]

HELD_DAYS = 400
"""Days for which the newest of a rare event is kept: a survey's answer, advocacy, a training."""

MEMORY_WEEKS = 42
"""Weeks before the ring whose events are kept: with those of the ring they are more than a year."""

MAX_USERS = 20_000
"""Users, the last active ones; others no longer count as active."""

MAX_FEATURES = 500
"""Features, the last used ones; others no longer count as used."""

MAX_TICKETS = 2_000
"""Tickets, those with the newest event; others are forgotten."""

MAX_INVOICES = 1_000
"""Invoices, those with the newest event; others are forgotten."""

MAX_DISPUTES = 200
"""Disputes of payments, those with the newest event; others are forgotten."""

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

MAX_OVERRIDES = 200
"""Targets of overrides, those with the newest word; others are forgotten."""

MAX_NOTES = 20
"""Notes of the team, the newest; others are in the journal alone."""

MAX_TASKS = 100
"""Tasks, those with the newest word; others are forgotten."""

MAX_WAY = 500
"""Links that evidence on its way has followed, the newest; a longer circle of links is not recognized."""

MAX_TEXTS = 500_000
"""Characters of all ids and names; beyond it the older half of what has the most of them is forgotten."""

_FEW = 64
"""Entries of a state that can't reach ``MAX_TEXTS``, however long their texts are."""

MAX_OWN_USERS = 2_000
"""Users kept of each counter of a tenant's own, the last active ones; others no longer count."""

K = TypeVar("K", int, str)
V = TypeVar("V")

_EMAILS = ("email_sent", "email_received")


def evict(state: State, now: int) -> None:
    """Drop what has left the rings; *now* is journal time. The rest of the state doesn't change."""
    first = now // DAY - RING_DAYS
    since, held = first * DAY, (now // DAY - HELD_DAYS) * DAY
    usage = state.usage
    _remember_weeks(usage, first)
    usage.days = {day: bucket for day, bucket in usage.days.items() if day >= first}
    least = least_activity(first)
    usage.users = {user: activity for user, activity in usage.users.items() if activity >= least}
    usage.features = {feature: day for feature, day in usage.features.items() if day >= first}
    _evict_tickets(state, since)
    unsettled = state.billing.unsettled
    state.billing.invoices = {
        key: invoice
        for key, invoice in state.billing.invoices.items()
        if invoice.last_at >= since or (key in unsettled and (invoice.failed_payments or invoice.due_at))
    }
    state.billing.disputes = {
        key: dispute
        for key, dispute in state.billing.disputes.items()
        if dispute.open or dispute.at[0] >= since
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
    state.tasks = {key: task for key, task in state.tasks.items() if task.last_at >= since or not task.done}
    state.own = {name: fact for name, fact in state.own.items() if fact.at[0] >= held}
    for counter in state.own_counts.values():
        counter.days = {day: number for day, number in counter.days.items() if day >= first}
        counter.users = {user: activity for user, activity in counter.users.items() if activity >= least}
    state.own_counts = {name: counter for name, counter in state.own_counts.items() if counter.days}
    if state.deleted_at < since:
        state.deleted_at = -1


def _remember_weeks(usage: Usage, first: int) -> None:
    """Add the days that leave the ring to their weeks; nothing can come to them any more."""
    weeks = usage.weeks
    for day, bucket in usage.days.items():
        if day < first:
            week = day // 7
            weeks = weeks if weeks is not usage.weeks else dict(weeks)
            weeks[week] = weeks.get(week, 0) + bucket.events
    oldest = first // 7 - MEMORY_WEEKS
    if weeks is not usage.weeks or (weeks and min(weeks) < oldest):
        usage.weeks = {week: weeks[week] for week in sorted(weeks) if week >= oldest}


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
    """Of revenue and seats before the ring keep the changes only: nothing can come between them any more."""
    subscription.mrr_days = _changes(subscription.mrr_days, first)
    subscription.seats_days = _changes(subscription.seats_days, first)


def _changes(steps: dict[int, Any], first: int) -> dict[int, Any]:
    """Return the steps without those of before the day ``first`` that changed nothing."""
    if len(steps) < 2:
        return steps
    kept: dict[int, Any] = {}
    before: Any = steps  # equal to no amount, nor to None: an amount that is known to be unknown
    for day, step in steps.items():
        if day >= first or step[1] != before:
            kept[day] = step
        before = step[1]
    return kept


def bound(state: State) -> bool:
    """
    Keep only the newest of what a flood could grow without end; see docs/reference/limits.md for the bounds.

    Returns whether anything but usage had to be forgotten for the length of its texts.
    """
    entries = 0
    for each in _COLLECTIONS:
        known = each.known(state)
        if len(known) > each.most:
            each.keep(state, each.most)
        entries += len(known)
    for subscription in state.billing.subscriptions.values():
        if len(subscription.mrr_days) > MAX_MRR_DAYS:
            subscription.mrr_days = dict(list(subscription.mrr_days.items())[-MAX_MRR_DAYS:])
        if len(subscription.seats_days) > MAX_MRR_DAYS:
            subscription.seats_days = dict(list(subscription.seats_days.items())[-MAX_MRR_DAYS:])
        entries += len(subscription.snapshots)
    for counter in state.own_counts.values():
        if len(counter.users) > MAX_OWN_USERS:
            users = _newest(counter.users, MAX_OWN_USERS, lambda kv: (last_day(kv[1]), kv[0]))
            counter.users = dict(sorted(users.items()))
    entries += sum(len(gone.into) for gone in state.retracted.values())
    return entries > _FEW and _bound_texts(state)


def _bound_texts(state: State) -> bool:
    """Forget the older half of what has the longest texts until all fit; return as ``bound`` does."""
    characters = [each.characters(each.known(state)) for each in _COLLECTIONS]
    forgotten = False
    while sum(characters) > MAX_TEXTS:
        longest = characters.index(max(characters))
        each = _COLLECTIONS[longest]
        each.keep(state, len(each.known(state)) // 2)
        characters[longest] = each.characters(each.known(state))
        forgotten |= each.holder is not _usage
    return forgotten


def _newest(known: dict[K, V], most: int, by: Callable[[tuple[K, V]], Any]) -> dict[K, V]:
    return known if len(known) <= most else dict(nlargest(most, known.items(), by))


def _last_counted(counter: OwnCount) -> int:
    return max(counter.days, default=-1)


def _last(person: Person) -> int:
    return max(person.role_at[0], person.left_at, person.contact_at)


def _state(state: State) -> State:
    return state


def _usage(state: State) -> Usage:
    return state.usage


def _billing(state: State) -> Billing:
    return state.billing


def _link(state: State) -> Link:
    return state.link


def _of_keys(known: dict[str, Any]) -> int:
    return sum(map(len, known))


def _of_invoices(known: dict[str, Invoice]) -> int:
    return _of_keys(known) + sum(len(x.currency) for x in known.values() if x.currency)


def _of_subscriptions(known: dict[str, Subscription]) -> int:
    described: list[Subscription | SubscriptionSnapshot] = [*known.values()]
    described += [each for subscription in known.values() for each in subscription.snapshots]
    return _of_keys(known) + sum(len(each.plan or "") + len(each.currency or "") for each in described)


def _of_aims(known: dict[str, Aim]) -> int:
    return _of_keys(known) + sum(len(x.currency) for x in known.values() if x.currency)


def _of_retracted(known: dict[str, Retraction]) -> int:
    return _of_keys(known) + sum(len(ticket) for x in known.values() for ticket in x.into)


def _of_overrides(known: dict[str, OverrideValue]) -> int:
    return _of_keys(known) + sum(len(x.reason) + len(x.author) for x in known.values())


def _of_notes(known: dict[str, NoteValue]) -> int:
    return _of_keys(known) + sum(len(x.text) + len(x.author) for x in known.values())


def _of_tasks(known: dict[str, TaskValue]) -> int:
    texts = (len(x.title) + len(x.author) + len(x.assignee or "") + len(x.done_by) for x in known.values())
    return _of_keys(known) + sum(texts)


def _of_own(known: dict[str, OwnFact]) -> int:
    texts = (len(x.value) for x in known.values() if isinstance(x.value, str))
    return _of_keys(known) + sum(texts) + sum(len(x.author) for x in known.values())


def _of_way(known: dict[str, tuple[str, Stamp]]) -> int:
    return _of_keys(known) + sum(len(into) for into, _ in known.values())


def _no_texts(_: dict[int, Any]) -> int:
    return 0


class _Collection(NamedTuple):
    """
    One dict of a state: the struct that holds it, its name there, and how many entries are kept.

    ``age`` orders its items, ``characters`` counts its texts.
    """

    holder: Callable[[State], Any]
    name: str
    most: int
    age: Callable[[tuple[Any, Any]], Any]
    characters: Callable[[Any], int]

    def known(self, state: State) -> dict[Any, Any]:
        known: dict[Any, Any] = getattr(self.holder(state), self.name)
        return known

    def keep(self, state: State, most: int) -> None:
        """Keep so many entries, the newest."""
        setattr(self.holder(state), self.name, _newest(self.known(state), most, self.age))


_COLLECTIONS = (
    _Collection(_usage, "users", MAX_USERS, lambda kv: (last_day(kv[1]), kv[0]), _no_texts),
    _Collection(_usage, "features", MAX_FEATURES, lambda kv: (kv[1], kv[0]), _of_keys),
    _Collection(_state, "tickets", MAX_TICKETS, lambda kv: (kv[1].last_at, kv[0]), _of_keys),
    _Collection(_billing, "invoices", MAX_INVOICES, lambda kv: (kv[1].last_at, kv[0]), _of_invoices),
    _Collection(
        _billing, "subscriptions", MAX_SUBSCRIPTIONS, lambda kv: (kv[1].status_at, kv[0]), _of_subscriptions
    ),
    _Collection(_billing, "disputes", MAX_DISPUTES, lambda kv: (kv[1].at, kv[0]), _of_keys),
    _Collection(_state, "surveys", MAX_SURVEYS, lambda kv: (kv[1][0], kv[0]), _of_keys),
    _Collection(_state, "asked", MAX_SURVEYS, lambda kv: (kv[1], kv[0]), _no_texts),
    _Collection(_state, "moments", MAX_KINDS, lambda kv: (kv[1][-1], kv[0]), _of_keys),
    _Collection(_state, "aims", MAX_AIMS, lambda kv: (kv[1].last_at, kv[0]), _of_aims),
    _Collection(_state, "people", MAX_PEOPLE, lambda kv: (bool(kv[1].role), _last(kv[1]), kv[0]), _no_texts),
    _Collection(_state, "retracted", MAX_RETRACTED, lambda kv: (kv[1].at, kv[0]), _of_retracted),
    _Collection(_state, "overrides", MAX_OVERRIDES, lambda kv: (kv[1].at, kv[0]), _of_overrides),
    _Collection(_state, "notes", MAX_NOTES, lambda kv: (kv[1].at, kv[0]), _of_notes),
    _Collection(_state, "tasks", MAX_TASKS, lambda kv: (kv[1].last_at, kv[0]), _of_tasks),
    _Collection(_state, "own", MAX_OWN, lambda kv: (kv[1].at, kv[0]), _of_own),
    _Collection(_state, "own_counts", MAX_OWN, lambda kv: (_last_counted(kv[1]), kv[0]), _of_keys),
    _Collection(_link, "way", MAX_WAY, lambda kv: (kv[1][1], kv[0]), _of_way),
)
"""All of a state that events could grow without end."""
