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
    "NOT_PAYING",
    "RING_DAYS",
    "SNAPSHOT",
    "Aim",
    "Billing",
    "Day",
    "Invoice",
    "Link",
    "NoteValue",
    "OverrideValue",
    "PaymentDispute",
    "Person",
    "Retraction",
    "Snapshot",
    "Stamp",
    "Subscription",
    "SubscriptionSnapshot",
    "TaskValue",
    "Ticket",
    "TicketSnapshot",
    "Usage",
    "brief",
    "stamp",
]

RING_DAYS = 90
"""Days a ring reaches back from now; the bucket of the day 90 days ago is the last one kept."""

Stamp: TypeAlias = tuple[int, int]
"""
(occurred_at, order): orders events for last-writer-wins, ties included.

The order of an event is its rank and, below it, a hash of its id; that of a snapshot is ``SNAPSHOT``.
"""

NEVER: Stamp = (-1, 0)

SNAPSHOT = 1 << 40
"""The order of what a snapshot says: at one time it is newer than what any other event says."""


def brief(text: str) -> int:
    """Return 32 bits that stand for a text, such as a user's id, where the text itself isn't needed."""
    return xxhash.xxh32_intdigest(text.encode())


def stamp(occurred_at: int, event_id: str, rank: int = 0) -> Stamp:
    """Return the stamp of an event; of those of one time, the highest rank (0 to 255) is the newest."""
    return occurred_at, rank << 32 | brief(event_id)


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
    (``processors.state.activity``), ``features`` a feature to the last day of its use. ``weeks`` maps a week
    (the day number over 7) to the events of those of its days that have left the ring, for a year.
    """

    days: dict[int, Day] = {}
    users: dict[int, int] = {}
    features: dict[str, int] = {}
    first_at: int | None = None
    last_at: int | None = None
    weeks: dict[int, int] = {}


class Snapshot(msgspec.Struct, array_like=True, gc=False):
    """
    A whole object as a source described it at the time ``at``; the base of the snapshots of each kind.

    ``order`` is that of its event's stamp, ``sequence`` its position in one action. ``version`` and
    ``previous`` are fingerprints of the object after and before the event (``processors.observe.snapshots``).
    """

    at: int = -1
    order: int = 0
    version: int | None = None
    previous: int | None = None
    sequence: int | None = None


class TicketSnapshot(Snapshot, array_like=True, gc=False):
    """A whole ticket; it is ``gone`` when it was deleted or belongs to another account."""

    open: bool = True
    severity: str = "unknown"
    gone: bool = False


class Ticket(msgspec.Struct, array_like=True, gc=False):
    """
    One support ticket; ``opened_at`` is the earliest thing known of it, ``solved_at`` the newest solution.

    ``answers`` counts what agents answered. ``deleted`` was said by older builds; now a deleted ticket is
    retracted, or ``gone`` as the newest of its ``snapshots`` says.
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
    gone: bool = False
    snapshots: list[TicketSnapshot] = []
    seen_opening: bool = False

    @property
    def whole(self) -> bool:
        """Whether all answers are known: not those of before its help desk was connected."""
        return self.seen_opening or not self.snapshots


class Invoice(msgspec.Struct, array_like=True, gc=False):
    """
    One invoice; ``settled`` is '', 'paid' or 'uncollectible'.

    'voided' was said by older builds; now a voided invoice is retracted. ``attempts`` is the largest number
    of failed payments that an event said, ``failures`` counts the events that said none.
    """

    last_at: int = 0
    settled_at: Stamp = NEVER
    settled: str = ""
    failures: int = 0
    amount_minor: int | None = None
    currency: str | None = None
    due_at: int | None = None
    disputed_at: Stamp = NEVER
    disputed: bool = False
    attempts: int = 0

    @property
    def failed_payments(self) -> int:
        """The number of failed attempts to pay it."""
        return max(self.failures, self.attempts)

    def follows(self, other: Invoice) -> bool:
        """Tell whether it is of a later date than another one, and of as much or more."""
        if self.due_at is None or other.due_at is None:
            return False
        if self.amount_minor is None or other.amount_minor is None or self.currency != other.currency:
            return False
        return self.due_at > other.due_at and self.amount_minor >= other.amount_minor


class PaymentDispute(msgspec.Struct, array_like=True, gc=False):
    """One dispute of a payment, as the newest word on it says."""

    at: Stamp = NEVER
    open: bool = True


class SubscriptionSnapshot(Snapshot, array_like=True, gc=False):
    """A whole subscription, with the fields of :class:`Subscription`."""

    status: str = "active"
    standing: str = ""
    cancel_at: int | None = None
    plan: str | None = None
    seats: int | None = None
    mrr_minor: int | None = None
    currency: str | None = None
    renews_at: int | None = None


NOT_PAYING = frozenset({"incomplete", "expired", "trialing", "unpaid", "paused"})
"""The standings in which a subscription brings no revenue."""


class Subscription(msgspec.Struct, array_like=True, gc=False):
    """
    One subscription; ``status`` is 'active', 'canceling' or 'canceled': whether the customer means to stay.

    ``standing`` is where its payment stands: 'incomplete' (not paid for the first time yet), 'expired'
    (never paid, and ended), 'trialing', 'past_due', 'unpaid', 'paused', or '' in good standing.
    ``mrr_minor`` is what its price comes to in a month, paid or not. ``mrr_days`` maps a UTC day to the
    newest word of that day on the monthly recurring revenue (0 where the standing brings none, ``None``:
    known to be unknown): its history, in minor units; ``seats_days`` has the seats likewise. ``snapshots``
    are those of the newest two times. ``furthest_renewal`` is the furthest renewal date that any event
    stated, and the earliest time at which one did, negated: the larger of two says more.
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
    mrr_days: dict[int, tuple[Stamp, int | None]] = {}
    canceling_at: int = -1
    standing: str = ""
    snapshots: list[SubscriptionSnapshot] = []
    seats_days: dict[int, tuple[Stamp, int]] = {}
    furthest_renewal: tuple[int, int] = (-1, 0)

    @property
    def term(self) -> int | None:
        """How long before its next renewal that date was first stated, in milliseconds, if it is known."""
        furthest, stated = self.furthest_renewal
        return furthest + stated if furthest >= 0 and furthest == self.renews_at else None

    @property
    def revenue(self) -> int | None:
        """What it brings in a month, in minor units; ``None``: not known."""
        return 0 if self.standing in NOT_PAYING or self.status == "canceled" else self.mrr_minor


class Billing(msgspec.Struct, array_like=True, gc=False):
    """Subscriptions, invoices and disputes by id."""

    subscriptions: dict[str, Subscription] = {}
    invoices: dict[str, Invoice] = {}
    disputes: dict[str, PaymentDispute] = {}

    @property
    def unsettled(self) -> dict[str, Invoice]:
        """
        The invoices that wait for their payment, by id.

        One that no payment failed for is left out once a later one of the same amount or more is paid:
        invoices are paid in their order, so its payment was not told of, or is argued about.
        """
        open_ones = {key: invoice for key, invoice in self.invoices.items() if not invoice.settled}
        if not open_ones:
            return open_ones
        paid = [invoice for invoice in self.invoices.values() if invoice.settled == "paid"]
        return {
            key: invoice
            for key, invoice in open_ones.items()
            if invoice.failed_payments or invoice.disputed or not any(each.follows(invoice) for each in paid)
        }


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

    ``count`` is the number of links received, and of events that tell nothing since a deletion. ``way`` is
    set only in a transfer: each account that it has left, with the account it left for and the stamp of that
    link.
    """

    into: str = ""
    at: Stamp = NEVER
    count: int = 0
    way: dict[str, tuple[str, Stamp]] = {}


class NoteValue(msgspec.Struct, array_like=True, gc=False):
    """A note that somebody of the team wrote about the account."""

    at: Stamp = NEVER
    author: str = ""
    text: str = ""


class TaskValue(msgspec.Struct, array_like=True, gc=False):
    """
    A task of somebody of the team: the newest word on what it is, and the newest on whether it is done.

    One that is only known to be done, because that came first, has no title.
    """

    at: Stamp = NEVER
    author: str = ""
    title: str = ""
    due_at: int | None = None
    assignee: str | None = None
    done_stamp: Stamp = NEVER
    done: bool = False
    done_by: str = ""

    @property
    def last_at(self) -> int:
        """When the newest word on it was said."""
        return max(self.at[0], self.done_stamp[0])


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
