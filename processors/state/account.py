"""
State of an account: the value of the state table, and so a wire format.

It is msgpack of arrays: fields are only ever appended, each with a default, so that bytes of every older
build stay readable (``tests/unit/processors/test_state_bytes.py`` keeps some). What a new field needs beside
its declaration is in ``tests/unit/processors/test_state_fields.py``, which fails until it is there.
"""

from __future__ import annotations

from operator import attrgetter
from typing import get_origin

import msgspec

from processors.state.own import OwnCount, OwnFact
from processors.state.parts import (
    RING_DAYS,
    Aim,
    Billing,
    Day,
    Invoice,
    Link,
    NoteValue,
    OverrideValue,
    PaymentDispute,
    Person,
    Retraction,
    Stamp,
    Subscription,
    SubscriptionSnapshot,
    TaskValue,
    Ticket,
    TicketSnapshot,
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
    "NoteValue",
    "OverrideValue",
    "OwnCount",
    "OwnFact",
    "PaymentDispute",
    "Person",
    "Retraction",
    "Stamp",
    "State",
    "Subscription",
    "SubscriptionSnapshot",
    "TaskValue",
    "Ticket",
    "TicketSnapshot",
    "Usage",
    "arrange",
    "arrange_usage",
    "brief",
    "stamp",
]


class Episode(msgspec.Struct, array_like=True, gc=False):
    """
    Alert of one rule on an account; ``severity`` is '' while none is open, ``number`` counts the episodes.

    ``title`` and ``action`` are those of the open alert, or of the last one. ``note`` is the newest one of
    the people who acted on it. A ``muted`` episode was opened by a change of the model or of the rules;
    nobody is alerted until it gets worse. A ``dismissed`` one was ended by a person, ``dismissed_by``. Of a
    ``shadow`` one nobody is told.

    ``pending`` is a severity that has held since ``pending_since`` and waits to open the episode or to make
    it worse; the cause began at ``since``, and ``score_before`` is the score before that, in hundredths of a
    point. ``ending`` is the resolution with which it ends unless its cause comes back, since
    ``ending_since``. ``ended_at`` is when the last episode ended, ``openings`` when the last ones opened.
    ``worsened_at`` is when it last got worse. ``stamps`` has the newest action of each kind, and as
    ``noted`` that of the note. Of an ended episode ``last_severity`` and ``resolution`` are kept.
    """

    number: int = 0
    severity: str = ""
    opened_at: int = 0
    acknowledged_by: str | None = None
    dismissed: bool = False
    muted: bool = False
    title: str = ""
    action: str = ""
    acknowledged_at: int | None = None
    dismissed_by: str | None = None
    note: str | None = None
    lane: str = ""
    pending: str = ""
    pending_since: int = -1
    since: int = -1
    score_before: int | None = None
    ending: str = ""
    ending_since: int = -1
    ended_at: int = -1
    openings: list[int] = []
    snoozed_until: int | None = None
    assignee: str | None = None
    resolution: str | None = None
    feedback: str | None = None
    stamps: dict[str, Stamp] = {}
    worsened_at: int = -1
    shadow: bool = False
    last_severity: str = ""


class State(msgspec.Struct, array_like=True, gc=False):
    """
    State of one account: what is known of it, and what was decided (``DECIDED``).

    ``applied`` counts the events folded in, ``sequence`` is the journal batch that last changed the account,
    ``due`` the journal time at which time alone may change its score (``None``: never). ``surveys`` maps a
    survey to (stamp, kind, score), ``asked`` the ``brief`` of a key of ``surveys`` to when it was sent,
    ``engagement`` a kind to its newest time, ``moments`` a kind to several of its newest times, ``profile`` a
    field to (stamp, value), ``people`` the ``brief`` of a user id to the person, and ``heard`` a topic to its
    newest event time. ``aims`` are goals and milestones by name, ``retracted`` what was taken back.
    ``overrides`` maps ``score`` or a measure to the value that a person set for it. ``notes`` and ``tasks``
    are the team's, a note by the id of its event, a task by its own. ``own`` and
    ``own_counts`` are facts and counters that the tenant named (``processors.state.own``). ``link`` says that
    this account belongs to another one; then the evidence has moved there, and nothing is judged here.
    ``deleted_at`` is the event time up to which it was deleted, -1 if it wasn't lately.

    ``episodes`` maps a rule, and after a line break the subject where it has one, to the alert.
    ``samples`` maps a measure, or ``health.score``, to its value by UTC day, where rules ask its change.
    ``opening_score`` is the score with which the UTC day ``scored_day`` began. ``band_since`` is the journal
    time at which the band began; ``pending_band`` waits since ``pending_since`` to become the band, '' when
    none does. ``kpis_due`` is when the account's KPIs are published next (``None``: nothing renews them).
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
    own: dict[str, OwnFact] = {}
    own_counts: dict[str, OwnCount] = {}
    deleted_at: int = -1
    samples: dict[str, dict[int, float]] = {}
    notes: dict[str, NoteValue] = {}
    tasks: dict[str, TaskValue] = {}

    @property
    def known(self) -> bool:
        """Whether anything of the account itself is known: what people say of one doesn't make an account."""
        return bool(self.heard) or self.usage.first_at is not None or self.score is not None

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
    "pending_band", "pending_since", "kpis_due", "samples",
)  # fmt: skip
"""
Fields of a ``State`` that hold decisions about an account, not evidence: they stay when evidence moves.
"""


class _DictFields:
    """The fields of a struct that are dicts, computed from its definition, so that none is forgotten."""

    def __init__(self, struct: type[msgspec.Struct]) -> None:
        fields = msgspec.structs.fields(struct)
        self._names = tuple(field.name for field in fields if get_origin(field.type) is dict)
        self._values = attrgetter(*self._names)

    def sort(self, struct: msgspec.Struct) -> None:
        """Bring each of the dicts into the order of its keys; nearly always it is in order already."""
        for name, items in zip(self._names, self._values(struct), strict=True):
            if len(items) > 1:
                ordered = sorted(items)
                if list(items) != ordered:
                    setattr(struct, name, {key: items[key] for key in ordered})


_STATE, _USAGE, _BILLING = _DictFields(State), _DictFields(Usage), _DictFields(Billing)


def arrange(state: State) -> None:
    """Bring every part into the order of its keys, in which it is also read from bytes."""
    _STATE.sort(state)
    _USAGE.sort(state.usage)
    _BILLING.sort(state.billing)


def arrange_usage(state: State) -> None:
    """Bring what is known of usage into the order of its keys."""
    _USAGE.sort(state.usage)
