"""
Deletion of an account: what is known of it is erased, and what occurred before stays out when it comes late.

Of a deleted account the state keeps the time of the deletion, counts, and the numbers of its past alerts, so
that ids of alerts don't repeat; nothing that was said of it. Events that occurred up to that time are ignored
from then on, later ones begin a new account. Usage is kept by the UTC day: that of the day of the deletion
and before is ignored. After the days that rings reach back nothing so old is admitted any more, and
the time is forgotten, too (``forgotten_at``).

An event that occurred after the deletion but was folded before it is erased like the others: a state doesn't
hold what it would need to tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from processors.state.account import DECIDED, RING_DAYS, Link, OwnCount, Person, State, Subscription, Usage
from processors.state.activity import active_days, with_day
from processors.state.parts import NEVER
from schemas.records import AccountLink
from schemas.times import DAY

__all__ = ["erase", "forgotten_at", "ignore", "is_erased", "keep_later"]

_KEPT = {"tenant", "account_id", "applied", "link", "deleted_at", *DECIDED}

K = TypeVar("K")
V = TypeVar("V")


def erase(state: State, event: AccountLink) -> bool:
    """
    Fold a deletion; return whether it is newer than the last one, so that the state's evidence is erased.

    What was decided of the account stays for the judge, who ends it.
    """
    if event.occurred_at <= state.deleted_at:
        ignore(state)
        return False
    blank = State()
    for name in State.__struct_fields__:
        if name not in _KEPT:
            setattr(state, name, getattr(blank, name))
    state.applied += 1
    state.link = Link(count=state.applied)
    state.deleted_at = event.occurred_at
    return True


def ignore(state: State, events: int = 1) -> None:
    """Count events that tell nothing, because they occurred before the account was deleted."""
    state.applied += events
    state.link.count += events


def is_erased(state: State) -> bool:
    """Tell whether nothing but a deletion is known of an account."""
    return state.deleted_at >= 0 and state.applied == state.link.count and not state.link.into


def forgotten_at(state: State) -> int:
    """Return the first time at which no event of before the deletion is admitted any more, UTC ms."""
    return (state.deleted_at // DAY + RING_DAYS + 1) * DAY


def keep_later(other: State, at: int) -> bool:
    """
    Keep what occurred after *at* of a state that comes as a transfer; return whether anything is left.

    A ticket, an invoice, a subscription, an aim or a task of which something occurred later is kept whole.
    """
    kept = State(tenant=other.tenant, account_id=other.account_id, applied=other.applied, link=other.link)
    kept.usage = _later_usage(other.usage, at)
    kept.tickets = _where(other.tickets, lambda ticket: max(ticket.last_at, ticket.opened_at) > at)
    billing = other.billing
    kept.billing.subscriptions = _where(billing.subscriptions, lambda one: _last_word(one) > at)
    kept.billing.invoices = _where(billing.invoices, lambda invoice: invoice.last_at > at)
    kept.billing.disputes = _where(billing.disputes, lambda dispute: dispute.at[0] > at)
    kept.surveys = _where(other.surveys, lambda answer: answer[0][0] > at)
    kept.engagement = _where(other.engagement, lambda time: time > at)
    kept.profile = _where(other.profile, lambda fact: fact[0][0] > at)
    moments = {kind: [time for time in times if time > at] for kind, times in other.moments.items()}
    kept.moments = _where(moments, bool)
    kept.aims = _where(other.aims, lambda aim: aim.last_at > at)
    people = {key: _later_person(person, at) for key, person in other.people.items()}
    kept.people = _where(people, lambda person: person != Person())
    kept.heard = _where(other.heard, lambda time: time > at)
    kept.retracted = _where(other.retracted, lambda gone: gone.at > at)
    kept.asked = _where(other.asked, lambda time: time > at)
    kept.overrides = _where(other.overrides, lambda override: override.at[0] > at)
    kept.notes = _where(other.notes, lambda note: note.at[0] > at)
    kept.tasks = _where(other.tasks, lambda task: task.last_at > at)
    kept.own = _where(other.own, lambda fact: fact.at[0] > at)
    counts = {name: _later_count(counter, at) for name, counter in other.own_counts.items()}
    kept.own_counts = _where(counts, lambda counter: bool(counter.days))
    for name in State.__struct_fields__:
        setattr(other, name, getattr(kept, name))
    return other != State(
        tenant=other.tenant, account_id=other.account_id, applied=other.applied, link=other.link
    )


def _where(known: dict[K, V], later: Callable[[V], bool]) -> dict[K, V]:
    return {key: value for key, value in known.items() if later(value)}


def _last_word(subscription: Subscription) -> int:
    """Return when the newest thing known of a subscription occurred."""
    stamps = [
        subscription.status_at,
        subscription.downgraded_at,
        *subscription.terms_at.values(),
        *(said for said, _ in subscription.mrr_days.values()),
    ]
    times = [subscription.canceling_at, *(each.at for each in subscription.snapshots)]
    return max([*times, *(time for time, _ in stamps)])


def _later_usage(usage: Usage, at: int) -> Usage:
    day = at // DAY
    if usage.last_at is None or usage.last_at // DAY <= day:
        return Usage()
    return Usage(
        days={key: bucket for key, bucket in usage.days.items() if key > day},
        users=_later_activities(usage.users, day),
        features={feature: last for feature, last in usage.features.items() if last > day},
        first_at=None if usage.first_at is None else max(usage.first_at, (day + 1) * DAY),
        last_at=usage.last_at,
        weeks={week: events for week, events in usage.weeks.items() if 7 * week > day},
    )


def _later_activities(users: dict[int, int], day: int) -> dict[int, int]:
    kept: dict[int, int] = {}
    for user, activity in users.items():
        for active in active_days(activity):
            if active > day:
                kept[user] = with_day(kept.get(user), active)
    return kept


def _later_person(person: Person, at: int) -> Person:
    return Person(
        role_at=person.role_at if person.role_at[0] > at else NEVER,
        role=person.role if person.role_at[0] > at else "",
        left_at=person.left_at if person.left_at > at else -1,
        contact_at=person.contact_at if person.contact_at > at else -1,
    )


def _later_count(counter: OwnCount, at: int) -> OwnCount:
    day = at // DAY
    days = {key: number for key, number in counter.days.items() if key > day}
    return replace(counter, days=days, users=_later_activities(counter.users, day))
