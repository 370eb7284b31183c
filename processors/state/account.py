"""
What is known of an account: the state table's value, and the partition's position beside it.

State is a wire format. It is msgpack of arrays: fields are only ever appended, each with a default,
so bytes of every older build stay readable (``tests/unit/processors/test_state_bytes.py`` keeps some).
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from processors.state.parts import (
    RING_DAYS,
    Aim,
    Billing,
    Day,
    Invoice,
    Link,
    OverrideValue,
    Person,
    Retraction,
    Stamp,
    Subscription,
    Ticket,
    Usage,
    brief,
    stamp,
)

__all__ = [
    "DECIDED",
    "RING_DAYS",
    "Aim",
    "Billing",
    "Day",
    "Episode",
    "Invoice",
    "Link",
    "OverrideValue",
    "Person",
    "Retraction",
    "Stamp",
    "State",
    "Subscription",
    "Ticket",
    "Usage",
    "arrange",
    "arrange_usage",
    "brief",
    "stamp",
]

K = TypeVar("K", int, str)
V = TypeVar("V")


class Episode(msgspec.Struct, array_like=True, gc=False):
    """
    One rule's alert on an account; ``severity`` is '' while none is open.

    A ``muted`` one was opened by a change of the model and is told to nobody until it gets worse.
    """

    number: int = 0
    severity: str = ""
    opened_at: int = 0
    acknowledged_by: str | None = None
    dismissed: bool = False
    muted: bool = False


class State(msgspec.Struct, array_like=True, gc=False):
    """
    Everything known of one account.

    ``applied`` counts the events folded in, ``sequence`` is the journal batch that last changed it,
    ``due`` the journal time at which time alone may change its score (``None``: never). ``surveys``
    maps a survey to (stamp, kind, score), ``engagement`` a kind to its newest occurrence, ``profile``
    a field to (stamp, value). ``opening_score`` is the score the UTC day ``scored_day`` began with.
    ``band_since`` is the journal time at which the band began; ``pending_band`` waits since
    ``pending_since`` to become the band, '' when none does. ``moments`` maps a kind of engagement to its
    newest times, ``aims`` names goals and milestones, ``people`` maps the ``brief`` of a user id, ``heard`` a
    topic to its newest event time, ``retracted`` what was taken back, and ``asked`` the ``brief`` of a key of
    ``surveys`` to when the survey was sent. ``overrides`` maps ``score`` or a measure to what a person
    said of it. ``link`` says that all this belongs to another account; then it has moved there, and nothing
    of this one is judged. ``kpis_due`` is when its KPIs are published next (``None``: nothing renews them).
    """

    tenant: str = ""
    account_id: str = ""
    applied: int = 0
    sequence: int = -1
    due: int | None = None
    usage: Usage = msgspec.field(default_factory=Usage)
    tickets: dict[str, Ticket] = {}
    billing: Billing = msgspec.field(default_factory=Billing)
    surveys: dict[str, tuple[Stamp, str, int | None]] = {}
    engagement: dict[str, int] = {}
    profile: dict[str, tuple[Stamp, str | int]] = {}
    episodes: dict[str, Episode] = {}
    score: int | None = None
    band: str = "unknown"
    scored_day: int = -1
    opening_score: int | None = None
    band_since: int = -1
    pending_band: str = ""
    pending_since: int = -1
    moments: dict[str, list[int]] = {}
    aims: dict[str, Aim] = {}
    people: dict[int, Person] = {}
    heard: dict[str, int] = {}
    retracted: dict[str, Retraction] = {}
    asked: dict[int, int] = {}
    overrides: dict[str, OverrideValue] = {}
    link: Link = msgspec.field(default_factory=Link)
    kpis_due: int | None = None

    def fact(self, field: str) -> str | None:
        """Return a text field of the profile, if known."""
        known = self.profile.get(field)
        return str(known[1]) if known else None

    def amount(self, field: str) -> int | None:
        """Return a whole-number field of the profile, if known."""
        known = self.profile.get(field)
        return int(known[1]) if known else None


DECIDED = (
    "sequence", "due", "episodes", "score", "band", "scored_day", "opening_score", "band_since",
    "pending_band", "pending_since", "kpis_due",
)  # fmt: skip
"""Fields of a ``State`` that say what was decided of an account, not what is known of it: they never move."""


def arrange(state: State) -> None:
    """Bring every part into the order of its keys, in which it is also read from bytes."""
    arrange_usage(state)
    billing = state.billing
    state.tickets = _in_order(state.tickets)
    billing.subscriptions = _in_order(billing.subscriptions)
    billing.invoices = _in_order(billing.invoices)
    state.surveys = _in_order(state.surveys)
    state.engagement = _in_order(state.engagement)
    state.profile = _in_order(state.profile)
    state.episodes = _in_order(state.episodes)
    state.moments = _in_order(state.moments)
    state.aims = _in_order(state.aims)
    state.people = _in_order(state.people)
    state.heard = _in_order(state.heard)
    state.retracted = _in_order(state.retracted)
    state.asked = _in_order(state.asked)
    state.overrides = _in_order(state.overrides)


def arrange_usage(state: State) -> None:
    """Bring what is known of usage into the order of its keys."""
    usage = state.usage
    usage.days = _in_order(usage.days)
    usage.users = _in_order(usage.users)
    usage.features = _in_order(usage.features)


def _in_order(known: dict[K, V]) -> dict[K, V]:
    """Return the same by rising key; nearly always it is so already."""
    if len(known) < 2:
        return known
    keys, ordered = list(known), sorted(known)
    return known if keys == ordered else {key: known[key] for key in ordered}
