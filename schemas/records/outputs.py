"""Records of the output topics: an account's health, its measures, and alerts; money in minor units."""

from __future__ import annotations

import msgspec

__all__ = [
    "BAND_ORDER",
    "AccountHealth",
    "AccountKpis",
    "Adjustment",
    "AlertNotification",
    "Cap",
    "Measure",
    "Note",
    "Override",
    "RiskAlert",
    "ShadowScore",
    "Task",
]

BAND_ORDER = ("critical", "at_risk", "watch", "healthy")
"""The bands from worst to best; ``unknown`` is a band too, and has no place in this order."""


class Measure(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    A measure's value for one account, and the points that it contributes to the score.

    ``value`` and ``score`` are null where the value is not known. ``as_of`` is when the newest evidence for a
    value arrived that stays until newer evidence comes, such as a survey's answer (UTC milliseconds).
    """

    name: str
    value: float | None
    unit: str
    score: float | None
    weight: float
    contribution: float
    reason: str
    group: str = ""
    as_of: int | None = None
    stale: bool = False


class Adjustment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Points of a score that belong to no single measure: a start value, a group's limit, rounding."""

    name: str
    contribution: float
    reason: str


class Cap(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A limit on the score that a known fact sets; ``contribution`` is zero or negative."""

    name: str
    limit: float
    contribution: float
    until: int | None
    reason: str


class Override(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An override in force: the value set for ``score`` or a measure, by whom, since and until when."""

    target: str
    value: float
    reason: str
    author: str
    since: int
    until: int | None = None


class Note(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A note that somebody of the team wrote about an account, ``at`` UTC milliseconds."""

    note_id: str
    at: int
    author: str
    text: str


class Task(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    A task of somebody of the team for an account; it is open while ``done_at`` is null.

    ``author`` is who said last what it is, ``assignee`` who is to do it, ``due_at`` by when. Times are UTC
    milliseconds.
    """

    task_id: str
    title: str
    author: str
    due_at: int | None = None
    assignee: str | None = None
    done_at: int | None = None
    done_by: str | None = None


class ShadowScore(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The score that a shadow model gives an account; its band has no hysteresis."""

    model: str
    model_version: str
    score: float
    band: str


class AccountHealth(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    An account's score at one time, with everything that it is computed from.

    ``received_at`` is the earliest one of the events that caused the record, null where only time passed.
    ``merged_into`` is set in the last record of an account that was merged into another. A ``deleted`` one
    says that the account was deleted, and that what is kept of it must go. ``churn_probability`` (0 to 1) is
    that of leaving within 90 days, null where the model is not calibrated or the account can't be judged.
    ``notes`` are the newest ones of the team, the newest first, and ``tasks`` the open ones by their due
    time, then those done lately. ``involuntary_score`` (0 to 100) is what causes that nobody decided, such as
    failed payments, leave by themselves; null where the model tells none apart. ``involuntary_reasons`` say
    why it is below 100, the costliest first.
    """

    tenant: str
    account_id: str
    name: str | None = None
    owner: str | None = None
    segment: str | None = None
    stage: str | None = None
    arr_minor: int | None = None
    currency: str | None = None
    score: float
    band: str
    previous_score: float | None
    coverage: float
    measures: list[Measure]
    caps: list[Cap]
    reasons: list[str]
    open_alerts: list[str]
    model: str
    model_version: str
    as_of: int
    received_at: int | None
    partition: int
    sequence: int
    adjustments: list[Adjustment] = []
    scale: float = 100.0
    variant: str = ""
    label: str = ""
    band_since: int | None = None
    parent_id: str | None = None
    overrides: list[Override] = []
    beside: list[ShadowScore] = []
    silent_sources: list[str] = []
    merged_into: str | None = None
    deleted: bool = False
    churn_probability: float | None = None
    notes: list[Note] = []
    tasks: list[Task] = []
    involuntary_score: float | None = None
    involuntary_reasons: list[str] = []


class AccountKpis(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    All measures of an account at one time: those that count for the score, then those that only inform.

    A ``deleted`` record has none, and says that those kept must go.
    """

    tenant: str
    account_id: str
    measures: list[Measure]
    model: str
    model_version: str
    as_of: int
    partition: int
    sequence: int
    deleted: bool = False


class RiskAlert(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    The opening, a change or the end of an alert episode.

    ``subject`` is the person or thing that it is about, '' for the account itself. ``since`` is when what it
    tells began, and ``score_before`` the score before that. A ``shadow`` alert is only counted: nobody is
    told.

    ``acknowledged_by`` is who has it, since ``acknowledged_at``, and ``assignee`` to whom it was given;
    ``dismissed_by`` is who ended it because it was of no use, and ``note`` the newest word of any of them.
    ``resolution`` says why it ended: ``recovered``, ``dismissed``, ``done``, ``churned``, ``merged``,
    ``deleted`` or ``not_judged``. ``feedback`` is a person's: ``useful``, ``noise`` or ``known``.
    """

    alert_id: str
    tenant: str
    account_id: str
    name: str | None = None
    owner: str | None = None
    arr_minor: int | None = None
    currency: str | None = None
    rule: str
    episode: int
    change: str
    severity: str
    title: str
    reasons: list[str]
    action: str
    score: float
    band: str
    opened_at: int
    changed_at: int
    acknowledged_by: str | None = None
    received_at: int | None
    model: str
    model_version: str
    partition: int
    sequence: int
    acknowledged_at: int | None = None
    dismissed_by: str | None = None
    note: str | None = None
    lane: str = "churn_risk"
    subject: str = ""
    segment: str | None = None
    plan: str | None = None
    renewal_at: int | None = None
    score_before: float | None = None
    since: int | None = None
    shadow: bool = False
    snoozed_until: int | None = None
    assignee: str | None = None
    resolution: str | None = None
    feedback: str | None = None
    rules_version: str = ""


class AlertNotification(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    One message to one person: a change of an alert, or several alerts together.

    ``kind`` is ``alert``, ``digest`` (several, the most urgent first, and ``more`` that are not listed),
    ``page`` (an incident of our own) or ``escalation`` (nobody acknowledged in time). ``notes`` are further
    lines, such as why it comes now. ``created_at`` is the journal time of the decision. One that calls for
    ``attention`` must be noticed also where it changes an earlier message. One that was ``redriven`` (from
    the dead letter of this id) is for its ``channel`` alone.
    """

    notification_id: str
    tenant: str
    recipient: str
    kind: str
    severity: str
    lane: str = "churn_risk"
    title: str
    alerts: list[RiskAlert]
    more: int = 0
    notes: list[str] = []
    created_at: int
    received_at: int | None = None
    partition: int
    sequence: int
    attention: bool = False
    redriven: str = ""
    channel: str = ""
