"""
The parts of a state: what is known of usage, tickets, money and people, each a struct of its own.

All are built so that a set of events gives one state whatever the order: counters add, sets unite, and
where only the newest word counts a :data:`Stamp` decides. Fields are only ever appended (see ``State``).

Nothing here refers back to what holds it, so Python's search for cycles may pass it over (``gc=False``).
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
import xxhash

__all__ = [
    "NEVER",
    "RING_DAYS",
    "Aim",
    "Billing",
    "Day",
    "Invoice",
    "Link",
    "OverrideValue",
    "Person",
    "Retraction",
    "Stamp",
    "Subscription",
    "Ticket",
    "Usage",
    "brief",
    "stamp",
]

RING_DAYS = 90
"""Days a ring reaches back from now; the bucket of the day 90 days ago is the last one kept."""

Stamp: TypeAlias = tuple[int, int]
"""(occurred_at, hash of the event id): orders events for last-writer-wins, ties included."""

NEVER: Stamp = (-1, 0)


def brief(text: str) -> int:
    """Return 32 bits that stand for a text, such as a user's id, where the text itself isn't needed."""
    return xxhash.xxh32_intdigest(text.encode())


def stamp(occurred_at: int, event_id: str) -> Stamp:
    """Return the stamp of an event."""
    return occurred_at, brief(event_id)


class Day(msgspec.Struct, array_like=True, gc=False):
    """Usage of one UTC day; latency is summed over ``latencies`` events that reported one."""

    events: int = 0
    errors: int = 0
    duration_ms: int = 0
    latency_ms: int = 0
    latencies: int = 0


class Usage(msgspec.Struct, array_like=True, gc=False):
    """
    Rings of product usage.

    ``days`` maps a UTC day number to its bucket, ``users`` the ``brief`` of a user id to the user's activity
    (``processors.state.activity``), ``features`` a feature to the last day of its use.
    """

    days: dict[int, Day] = {}
    users: dict[int, int] = {}
    features: dict[str, int] = {}
    first_at: int | None = None
    last_at: int | None = None


class Ticket(msgspec.Struct, array_like=True, gc=False):
    """
    One support ticket; ``opened_at`` is the earliest thing known of it, ``solved_at`` the newest solution.

    ``answers`` counts what agents answered. ``deleted`` was said by older builds; now a deleted ticket
    is retracted.
    """

    opened_at: int = 0
    last_at: int = 0
    status: Stamp = NEVER
    open: bool = True
    severity_at: Stamp = NEVER
    severity: str = "unknown"
    reopens: int = 0
    reopened_at: int = -1
    answered_at: int | None = None
    escalated_at: int = -1
    csat_at: Stamp = NEVER
    csat: int | None = None
    deleted: bool = False
    answers: int = 0
    solved_at: int = -1


class Invoice(msgspec.Struct, array_like=True, gc=False):
    """One invoice; ``settled`` is '' or 'paid' ('voided' was said by older builds; now it is retracted)."""

    last_at: int = 0
    settled_at: Stamp = NEVER
    settled: str = ""
    failures: int = 0
    amount_minor: int | None = None
    currency: str | None = None
    due_at: int | None = None
    disputed_at: Stamp = NEVER
    disputed: bool = False


class Subscription(msgspec.Struct, array_like=True, gc=False):
    """
    One subscription; ``status`` is 'active', 'canceling' or 'canceled'.

    ``mrr_days`` maps a UTC day to the newest word of that day on the monthly recurring revenue: its
    history, in minor units.
    """

    status_at: Stamp = NEVER
    status: str = "active"
    cancel_at: int | None = None
    terms_at: dict[str, Stamp] = {}
    plan: str | None = None
    seats: int | None = None
    mrr_minor: int | None = None
    currency: str | None = None
    renews_at: int | None = None
    downgraded_at: Stamp = NEVER
    downgrade_ratio: float = 0.0
    started_at: int | None = None
    mrr_days: dict[int, tuple[Stamp, int]] = {}
    canceling_at: int = -1


class Billing(msgspec.Struct, array_like=True, gc=False):
    """Subscriptions and invoices by id."""

    subscriptions: dict[str, Subscription] = {}
    invoices: dict[str, Invoice] = {}


class Aim(msgspec.Struct, array_like=True, gc=False):
    """A goal or milestone: its newest due date and worth, and when it was last achieved (-1: not yet)."""

    last_at: int = -1
    due_stamp: Stamp = NEVER
    due_at: int | None = None
    worth_stamp: Stamp = NEVER
    worth_minor: int | None = None
    currency: str | None = None
    done_at: int = -1


class Person(msgspec.Struct, array_like=True, gc=False):
    """Someone at the customer: '', 'champion' or 'sponsor' since, left, and last in contact with us."""

    role_at: Stamp = NEVER
    role: str = ""
    left_at: int = -1
    contact_at: int = -1


class Retraction(msgspec.Struct, array_like=True, gc=False):
    """
    A tombstone of what was taken back at ``at``, so that late events of it don't count either.

    For a ticket, ``since`` is the earliest time known and ``into`` are the tickets it was merged into.
    """

    at: int = -1
    since: int | None = None
    into: list[str] = []


class Link(msgspec.Struct, array_like=True, gc=False):
    """
    The newest link of an account, of the time ``at``: ``into`` is the account it belongs to ('': to itself).

    ``count`` is the number of links received. ``way`` is set only in a transfer: each account that it has
    left, with the account it left for and the stamp of that link.
    """

    into: str = ""
    at: Stamp = NEVER
    count: int = 0
    way: dict[str, tuple[str, Stamp]] = {}


class OverrideValue(msgspec.Struct, array_like=True, gc=False):
    """The score, 0 to 100, that a person set in place of a computed one; a null value: it was withdrawn."""

    at: Stamp = NEVER
    value: float | None = None
    reason: str = ""
    author: str = ""
    until: int | None = None

    def holds(self, now: int) -> bool:
        """Tell whether it is in force at *now*."""
        return self.value is not None and (self.until is None or now < self.until)
