"""
The merging of two states of one account, as if all events had been observed in one.

Every part of a state is built for that (``processors.state.parts``): counters add, sets unite, the newest
value counts. What was taken back in one state is removed from the other, too. Decisions (score, band,
episodes) are not merged.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import add
from typing import TypeVar

from processors.observe.billing import settle
from processors.observe.engagement import MAX_MOMENTS, forget_aim
from processors.observe.retract import lift, retraction
from processors.observe.snapshots import united_snapshots
from processors.observe.support import settle_ticket
from processors.observe.surveys import Answer, either
from processors.state.account import (
    Aim,
    Billing,
    Day,
    Invoice,
    OwnCount,
    Person,
    Retraction,
    Stamp,
    State,
    Subscription,
    TaskValue,
    Ticket,
    Usage,
)
from processors.state.activity import united
from processors.state.parts import NEVER

__all__ = ["merge"]

K = TypeVar("K", int, str)
V = TypeVar("V")
N = TypeVar("N", int, str)
A = TypeVar("A", int, int | None)


def merge(state: State, other: State) -> None:
    """Add to a state what another knows; the other may not be used after."""
    state.applied += other.applied
    _merge_usage(state.usage, other.usage)
    _merge_surveys(state, other)  # before retractions are united: they tell the version that stands
    _unite(state.tickets, other.tickets, _ticket)
    _merge_billing(state.billing, other.billing)
    _unite(state.engagement, other.engagement, max)
    _unite(state.profile, other.profile, lambda ours, theirs: theirs if theirs[0] > ours[0] else ours)
    _unite(state.moments, other.moments, lambda a, b: sorted({*a, *b})[-MAX_MOMENTS:])
    _unite(state.aims, other.aims, _aim)
    _unite(state.people, other.people, _person)
    _unite(state.heard, other.heard, max)
    _unite(state.asked, other.asked, min)
    _unite(state.overrides, other.overrides, lambda ours, theirs: theirs if theirs.at > ours.at else ours)
    _unite(state.notes, other.notes, lambda ours, theirs: theirs if theirs.at > ours.at else ours)
    _unite(state.tasks, other.tasks, _task)
    _unite(state.own, other.own, lambda ours, theirs: theirs if theirs.at > ours.at else ours)
    _unite(state.own_counts, other.own_counts, _own_count)
    _unite(state.retracted, other.retracted, _retraction)
    _take_back(state)


def _unite(ours: dict[K, V], theirs: dict[K, V], both: Callable[[V, V], V]) -> None:
    for key, value in theirs.items():
        ours[key] = both(ours[key], value) if key in ours else value


def _earlier(ours: int | None, theirs: int | None) -> int | None:
    return min((at for at in (ours, theirs) if at is not None), default=None)


def _most(ours: N | None, theirs: N | None) -> N | None:
    return max((value for value in (ours, theirs) if value is not None), default=None)


def _merge_usage(ours: Usage, theirs: Usage) -> None:
    _unite(ours.days, theirs.days, _day)
    _unite(ours.users, theirs.users, united)
    _unite(ours.features, theirs.features, max)
    _unite(ours.weeks, theirs.weeks, add)
    ours.first_at, ours.last_at = (
        _earlier(ours.first_at, theirs.first_at),
        _most(ours.last_at, theirs.last_at),
    )


def _day(ours: Day, theirs: Day) -> Day:
    ours.events += theirs.events
    ours.errors += theirs.errors
    ours.duration_ms += theirs.duration_ms
    ours.latency_ms += theirs.latency_ms
    ours.latencies += theirs.latencies
    return ours


def _ticket(ours: Ticket, theirs: Ticket) -> Ticket:
    ours.opened_at = min(ours.opened_at, theirs.opened_at)
    ours.last_at = max(ours.last_at, theirs.last_at)
    if theirs.status > ours.status:
        ours.status, ours.open, ours.gone = theirs.status, theirs.open, theirs.gone
    elif theirs.status == ours.status == NEVER:
        ours.open = ours.open or theirs.open
    if theirs.severity_at > ours.severity_at:
        ours.severity_at, ours.severity = theirs.severity_at, theirs.severity
    ours.reopens += theirs.reopens
    ours.reopened_at = max(ours.reopened_at, theirs.reopened_at)
    ours.answered_at = _earlier(ours.answered_at, theirs.answered_at)
    ours.escalated_at = max(ours.escalated_at, theirs.escalated_at)
    if theirs.csat_at > ours.csat_at:
        ours.csat_at, ours.csat = theirs.csat_at, theirs.csat
    ours.deleted = ours.deleted or theirs.deleted
    ours.answers += theirs.answers
    ours.solved_at = max(ours.solved_at, theirs.solved_at)
    ours.seen_opening = ours.seen_opening or theirs.seen_opening
    ours.snapshots = united_snapshots(ours.snapshots, theirs.snapshots)
    settle_ticket(ours)
    return ours


def _merge_billing(ours: Billing, theirs: Billing) -> None:
    _unite(ours.subscriptions, theirs.subscriptions, _subscription)
    _unite(ours.invoices, theirs.invoices, _invoice)
    _unite(ours.disputes, theirs.disputes, lambda one, other: other if other.at > one.at else one)


def _invoice(ours: Invoice, theirs: Invoice) -> Invoice:
    ours.last_at = max(ours.last_at, theirs.last_at)
    if theirs.settled_at > ours.settled_at:
        ours.settled_at, ours.settled = theirs.settled_at, theirs.settled
    ours.failures += theirs.failures
    ours.attempts = max(ours.attempts, theirs.attempts)
    ours.amount_minor = _most(ours.amount_minor, theirs.amount_minor)
    ours.currency = _most(ours.currency, theirs.currency)
    ours.due_at = _most(ours.due_at, theirs.due_at)
    if theirs.disputed_at > ours.disputed_at:
        ours.disputed_at, ours.disputed = theirs.disputed_at, theirs.disputed
    return ours


def _subscription(ours: Subscription, theirs: Subscription) -> Subscription:
    if theirs.status_at > ours.status_at:
        ours.status_at, ours.status, ours.cancel_at = theirs.status_at, theirs.status, theirs.cancel_at
    for term, at in theirs.terms_at.items():
        if at > ours.terms_at.get(term, NEVER):
            ours.terms_at[term] = at
            setattr(ours, term, getattr(theirs, term))
    ours.terms_at = dict(sorted(ours.terms_at.items()))
    if theirs.downgraded_at > ours.downgraded_at:
        ours.downgraded_at, ours.downgrade_ratio = theirs.downgraded_at, theirs.downgrade_ratio
    ours.started_at = _earlier(ours.started_at, theirs.started_at)
    _unite(ours.mrr_days, theirs.mrr_days, _newer)
    ours.mrr_days = dict(sorted(ours.mrr_days.items()))
    _unite(ours.seats_days, theirs.seats_days, _newer)
    ours.seats_days = dict(sorted(ours.seats_days.items()))
    ours.furthest_renewal = max(ours.furthest_renewal, theirs.furthest_renewal)
    ours.canceling_at = max(ours.canceling_at, theirs.canceling_at)
    ours.snapshots = united_snapshots(ours.snapshots, theirs.snapshots)
    settle(ours)
    return ours


def _newer(ours: tuple[Stamp, A], theirs: tuple[Stamp, A]) -> tuple[Stamp, A]:
    return theirs if theirs[0] > ours[0] else ours


def _aim(ours: Aim, theirs: Aim) -> Aim:
    ours.last_at = max(ours.last_at, theirs.last_at)
    if theirs.due_stamp > ours.due_stamp:
        ours.due_stamp, ours.due_at = theirs.due_stamp, theirs.due_at
    if theirs.worth_stamp > ours.worth_stamp:
        ours.worth_stamp, ours.worth_minor = theirs.worth_stamp, theirs.worth_minor
        ours.currency = theirs.currency
    ours.done_at = max(ours.done_at, theirs.done_at)
    return ours


def _task(ours: TaskValue, theirs: TaskValue) -> TaskValue:
    if theirs.at > ours.at:
        ours.at, ours.author, ours.title = theirs.at, theirs.author, theirs.title
        ours.due_at, ours.assignee = theirs.due_at, theirs.assignee
    if theirs.done_stamp > ours.done_stamp:
        ours.done_stamp, ours.done, ours.done_by = theirs.done_stamp, theirs.done, theirs.done_by
    return ours


def _person(ours: Person, theirs: Person) -> Person:
    if theirs.role_at > ours.role_at:
        ours.role_at, ours.role = theirs.role_at, theirs.role
    ours.left_at = max(ours.left_at, theirs.left_at)
    ours.contact_at = max(ours.contact_at, theirs.contact_at)
    return ours


def _own_count(ours: OwnCount, theirs: OwnCount) -> OwnCount:
    _unite(ours.days, theirs.days, add)
    ours.days = dict(sorted(ours.days.items()))
    _unite(ours.users, theirs.users, united)
    ours.users = dict(sorted(ours.users.items()))
    return ours


def _retraction(ours: Retraction, theirs: Retraction) -> Retraction:
    ours.at = max(ours.at, theirs.at)
    ours.since = _earlier(ours.since, theirs.since)
    ours.into = sorted({*ours.into, *theirs.into})
    return ours


def _merge_surveys(state: State, other: State) -> None:
    """Of each answer keep the newest version; each side says of which time its own is."""
    keys = {
        *other.surveys,
        *(key.partition("\n")[2] for key in other.retracted if key.startswith("survey\n")),
    }
    for key in keys:
        ours, stands = _version(state, key)
        theirs, said = _version(other, key)
        if theirs < ours:
            continue
        if theirs == ours:
            said = either(said, stands)
        if said is None:
            state.surveys.pop(key, None)
        else:
            state.surveys[key] = said


def _version(state: State, key: str) -> tuple[int, Answer | None]:
    stands, gone = state.surveys.get(key), retraction(state, "survey", key)
    return max(-1 if stands is None else stands[0][0], -1 if gone is None else gone.at), stands


def _take_back(state: State) -> None:
    """Take out what was taken back in either place."""
    for key, gone in list(state.retracted.items()):
        kind, _, name = key.partition("\n")
        match kind:
            case "ticket":
                ticket = state.tickets.pop(name, None)
                if ticket is not None:
                    lift(state, name, ticket.opened_at)
            case "invoice":
                state.billing.invoices.pop(name, None)
            case "aim":
                forget_aim(state, name, gone.at)
            case _:
                pass
    for gone in list(state.retracted.values()):
        if gone.since is not None:
            for into in gone.into:
                lift(state, into, gone.since)
