"""
Typed records, one for each schema in ``schemas/avro``; fields carry the schema's names and units.

Those that are made in great numbers are passed over by Python's search for cycles, as they are in none.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

__all__ = [
    "BAND_ORDER",
    "OF_ACCOUNTS",
    "OWN_SOURCE",
    "AccountHealth",
    "AccountKpis",
    "AccountLink",
    "AccountOverride",
    "AccountProfile",
    "AccountTransfer",
    "Adjustment",
    "AlertAction",
    "BillingEvent",
    "Cap",
    "ClockTick",
    "DeadLetter",
    "EngagementEvent",
    "Event",
    "InputEvent",
    "JournalBatch",
    "Measure",
    "ModelChange",
    "Override",
    "RiskAlert",
    "ShadowScore",
    "SourceRange",
    "SupportEvent",
    "SurveyResponse",
    "UsageCell",
    "UsageEnvelope",
    "UsageEvent",
]

OWN_SOURCE = "bellbuoy"
"""The source of records that follow from other records, and come from no sender."""

BAND_ORDER = ("critical", "at_risk", "watch", "healthy")
"""Known bands from worst to best. ``unknown`` stands outside the order."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """
    What every input event carries; times are UTC milliseconds.

    ``event_id`` is unique per tenant and source, and a retry carries the same one. ``occurred_at`` is
    event time; latency is measured from ``received_at``.
    """

    event_id: str
    tenant: str
    account_id: str
    source: str
    occurred_at: int
    received_at: int


class UsageEvent(Event, frozen=True, kw_only=True):
    """One thing a person did in the product."""

    user_id: str | None = None
    name: str
    feature: str | None = None
    duration_ms: int | None = None
    error: bool = False
    latency_ms: int | None = None


class UsageEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    """Usage events of one partition, written as one record."""

    events: list[UsageEvent]


class SupportEvent(Event, frozen=True, kw_only=True):
    """One step in the life of a support ticket."""

    ticket_id: str
    kind: str
    severity: str = "unknown"
    csat: int | None = None
    subject: str | None = None
    merged_into: str | None = None


class BillingEvent(Event, frozen=True, kw_only=True):
    """One step in the life of a subscription or an invoice; money in minor units."""

    kind: str
    subscription_id: str | None = None
    invoice_id: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    due_at: int | None = None
    plan: str | None = None
    seats: int | None = None
    mrr_minor: int | None = None
    previous_mrr_minor: int | None = None
    renews_at: int | None = None
    cancel_at: int | None = None


class SurveyResponse(Event, frozen=True, kw_only=True):
    """
    One step in the life of a survey; a null score says the person declined.

    ``edited_at`` is when an answer was changed or withdrawn, ``occurred_at`` stays that of the answer.
    """

    survey_id: str
    user_id: str | None = None
    kind: str
    score: int | None = None
    comment: str | None = None
    step: str = "answered"
    edited_at: int | None = None


class EngagementEvent(Event, frozen=True, kw_only=True):
    """One contact between the customer and the team, or a step of adoption."""

    user_id: str | None = None
    kind: str
    name: str | None = None
    due_at: int | None = None
    worth_minor: int | None = None
    currency: str | None = None


class AccountProfile(Event, frozen=True, kw_only=True):
    """What is known of an account; a null field leaves what was known before."""

    name: str | None = None
    segment: str | None = None
    stage: str | None = None
    owner: str | None = None
    arr_minor: int | None = None
    currency: str | None = None
    seats: int | None = None
    domain: str | None = None
    parent_id: str | None = None
    country: str | None = None
    started_at: int | None = None
    features: int | None = None
    key_feature: str | None = None
    uptime_ppm: int | None = None


class AlertAction(Event, frozen=True, kw_only=True):
    """What a person did with an alert."""

    alert_id: str
    kind: str
    author: str
    note: str | None = None


class AccountOverride(Event, frozen=True, kw_only=True):
    """
    What a person says of an account in place of what was measured.

    ``target`` is ``score`` or a measure's name; a null value withdraws what was said of it.
    """

    target: str
    value: float | None = None
    reason: str
    author: str
    expires_at: int | None = None


class ModelChange(Event, frozen=True, kw_only=True):
    """
    From its batch on, a tenant's accounts are scored with another model; a null text withdraws one.

    ``role`` is ``live``, or ``beside`` for a model that scores for comparison only.
    """

    author: str
    text: str | None = None
    role: str = "live"
    name: str = ""


class AccountLink(Event, frozen=True, kw_only=True):
    """What is known as ``account_id``, an alias or an account, belongs to the account ``into``."""

    into: str


class AccountTransfer(Event, frozen=True, kw_only=True):
    """What was known under ``origin``, as state bytes, for the account that it belongs to."""

    origin: str
    state: bytes


InputEvent: TypeAlias = (
    UsageEvent
    | SupportEvent
    | BillingEvent
    | SurveyResponse
    | EngagementEvent
    | AccountProfile
    | AlertAction
    | AccountOverride
    | ModelChange
    | AccountLink
    | AccountTransfer
)


class UsageCell(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All usage of one account on one UTC day that a batch brings."""

    tenant: str
    account_id: str
    day: int
    events: int
    errors: int
    duration_ms: int
    latency_ms: int
    latencies: int
    users: bytes
    features: list[str]
    first_at: int
    last_at: int
    received_at: int


class SourceRange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Offsets ``[first, next)`` of one input topic that a batch covers."""

    topic: str
    first: int
    next: int


class JournalBatch(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What reached one partition between two moments."""

    sequence: int
    written_at: int
    offsets: list[SourceRange] = []
    usage: list[UsageCell] = []
    support: list[SupportEvent] = []
    billing: list[BillingEvent] = []
    surveys: list[SurveyResponse] = []
    engagement: list[EngagementEvent] = []
    profiles: list[AccountProfile] = []
    actions: list[AlertAction] = []
    duplicates: int = 0
    dead_letters: int = 0
    moved: int = 0
    overrides: list[AccountOverride] = []
    models: list[ModelChange] = []
    links: list[AccountLink] = []
    transfers: list[AccountTransfer] = []


OF_ACCOUNTS = (
    "usage", "support", "billing", "surveys", "engagement", "profiles", "actions", "overrides", "links",
    "transfers",
)  # fmt: skip
"""The lists of a batch whose items are each of one account."""


class Measure(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One measured fact behind a score; null value and score: not known; ``as_of``: last heard."""

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
    """Points that no single measure brings: a start value, a group's limit, rounding."""

    name: str
    contribution: float
    reason: str


class Cap(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A known fact that holds the score down; contribution is zero or negative."""

    name: str
    limit: float
    contribution: float
    until: int | None
    reason: str


class Override(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a person says of ``score`` or a measure in place of what was measured, since and until when."""

    target: str
    value: float
    reason: str
    author: str
    since: int
    until: int | None = None


class ShadowScore(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a model beside the live one makes of an account; its band knows no hysteresis."""

    model: str
    model_version: str
    score: float
    band: str


class AccountHealth(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An account's score at one moment, with everything it was made of."""

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


class AccountKpis(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Everything that a model measures of an account at one moment: what counts, then what informs."""

    tenant: str
    account_id: str
    measures: list[Measure]
    model: str
    model_version: str
    as_of: int
    partition: int
    sequence: int


class RiskAlert(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An alert episode's opening, change or end."""

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


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    A record that could not be used, whole, with the reason.

    ``status`` is 'open', 'repaired' (then ``mended`` is the record as it should be) or 'redriven'.
    """

    id: str
    reason: str
    detail: str
    pointer: str | None = None
    topic: str
    partition: int = -1
    offset: int = -1
    key: bytes | None = None
    value: bytes | None = None
    headers: dict[str, bytes] = {}
    producer: str | None = None
    tenant: str | None = None
    failed_at: int
    status: str = "open"
    mended: bytes | None = None
    changed_at: int = 0


class ClockTick(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The time of a simulation."""

    now: int
