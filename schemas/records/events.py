"""
Records of the input topics: what products, vendors and people report about accounts.

Which topic carries which record is in ``schemas.inputs``.
"""

from __future__ import annotations

import msgspec

from schemas.records.outputs import RiskAlert

__all__ = [
    "OWN_SOURCE",
    "AccountLink",
    "AccountOverride",
    "AccountProfile",
    "AccountTransfer",
    "AlertAction",
    "BillingEvent",
    "EngagementEvent",
    "FeedReport",
    "InputEvent",
    "ModelChange",
    "OwnerAlert",
    "SupportEvent",
    "SurveyResponse",
    "UsageEnvelope",
    "UsageEvent",
]

OWN_SOURCE = "bellbuoy"
"""The ``source`` of records that Bellbuoy derives from other records, so that no sender sent them."""


class InputEvent(msgspec.Struct, frozen=True, kw_only=True):
    """
    The fields that every input event has; times are UTC milliseconds.

    ``event_id`` is unique per tenant and source, and a retry carries the same one. ``occurred_at`` is
    event time; latency is measured from ``received_at``.
    """

    event_id: str
    tenant: str
    account_id: str
    source: str
    occurred_at: int
    received_at: int


class UsageEvent(InputEvent, frozen=True, kw_only=True):
    """One thing that a person did in the product."""

    user_id: str | None = None
    name: str
    feature: str | None = None
    duration_ms: int | None = None
    error: bool = False
    latency_ms: int | None = None


class UsageEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    """Usage events of one partition, written as one record."""

    events: list[UsageEvent]


class SupportEvent(InputEvent, frozen=True, kw_only=True):
    """
    One step in the life of a support ticket; ``csat`` is 1 to 5.

    With ``snapshot`` it also says the whole ticket, so that a severity ``unknown`` is known to be none.
    ``version``, ``previous_version`` and ``sequence`` order the snapshots of one time
    (``processors.observe.snapshots``). ``moved_from`` is the account that had the ticket before.
    """

    ticket_id: str
    kind: str
    severity: str = "unknown"
    csat: int | None = None
    subject: str | None = None
    merged_into: str | None = None
    status: str = "unknown"
    snapshot: bool = False
    version: int | None = None
    previous_version: int | None = None
    sequence: int | None = None
    opened_at: int | None = None
    moved_from: str | None = None


class BillingEvent(InputEvent, frozen=True, kw_only=True):
    """
    One step in the life of a subscription or an invoice; money is in minor units.

    With ``snapshot`` it also says the whole subscription, so that a null field is known to be unknown.
    ``version`` and ``previous_version`` order the snapshots of one time (``processors.observe.snapshots``).
    ``mrr_minor`` is what the price comes to, whether or not the ``status`` says that it is paid.
    """

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
    status: str = "unknown"
    cancel_scheduled: bool = False
    snapshot: bool = False
    version: int | None = None
    previous_version: int | None = None
    attempts: int | None = None
    dispute_id: str | None = None


class SurveyResponse(InputEvent, frozen=True, kw_only=True):
    """
    One step in the life of a survey; an answer without a score means that the person declined.

    ``edited_at`` is when an answer was changed or withdrawn; ``occurred_at`` stays the time of the answer.
    """

    survey_id: str
    user_id: str | None = None
    kind: str
    score: int | None = None
    comment: str | None = None
    step: str = "answered"
    edited_at: int | None = None


class EngagementEvent(InputEvent, frozen=True, kw_only=True):
    """One contact between the customer and the customer-success team, or one step of adoption."""

    user_id: str | None = None
    kind: str
    name: str | None = None
    due_at: int | None = None
    worth_minor: int | None = None
    currency: str | None = None


class AccountProfile(InputEvent, frozen=True, kw_only=True):
    """
    Master data of an account; a null field leaves the known value as it is.

    ``own`` are facts that the tenant named itself, said by ``author``; a null one is no longer known.
    ``counted`` says how many events of own counters happened, to ``user_id``.
    """

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
    own: dict[str, float | bool | str | None] = {}
    author: str | None = None
    counted: dict[str, int] = {}
    user_id: str | None = None


class AlertAction(InputEvent, frozen=True, kw_only=True):
    """
    The act of a person on an alert, or on the account itself.

    On the alert ``alert_id`` it is ``acknowledged``, ``dismissed``, ``snoozed`` (``until`` a time),
    ``assigned`` (to ``assignee``), ``resolved`` or ``reviewed`` (``feedback`` alone: ``useful``, ``noise`` or
    ``known``). On the account it is ``noted``, with the text in ``note``, or about the task whose id stands
    in ``alert_id``: ``task_set`` (titled ``note``, due ``until`` a time, for ``assignee``), ``task_done`` or
    ``task_reopened``.
    """

    alert_id: str
    kind: str
    author: str
    note: str | None = None
    until: int | None = None
    assignee: str | None = None
    feedback: str | None = None


class AccountOverride(InputEvent, frozen=True, kw_only=True):
    """
    A value that a person sets for an account in place of the measured one.

    ``target`` is ``score`` or a measure's name; a null value withdraws the override of that target.
    """

    target: str
    value: float | None = None
    reason: str
    author: str
    expires_at: int | None = None


class ModelChange(InputEvent, frozen=True, kw_only=True):
    """
    A change of the health model that scores a tenant's accounts, from the batch that carries it on.

    A null text withdraws a model. ``role`` is ``live``, or ``beside`` for a shadow model, which scores for
    comparison only.
    """

    author: str
    text: str | None = None
    role: str = "live"
    name: str = ""


class AccountLink(InputEvent, frozen=True, kw_only=True):
    """
    The statement that ``account_id``, an alias or an account, belongs to the account ``into``.

    With ``deleted`` it belongs to nobody instead: it is deleted (``processors.observe.deletion``), or only
    the ``person`` of it whose user id has this XXH32 (``processors.observe.person_erasure``).
    """

    into: str = ""
    deleted: bool = False
    author: str | None = None
    reason: str | None = None
    person: int | None = None


class AccountTransfer(InputEvent, frozen=True, kw_only=True):
    """The state of ``origin``, as bytes, sent to the account that it belongs to."""

    origin: str
    state: bytes


class OwnerAlert(InputEvent, frozen=True, kw_only=True):
    """A change of an alert, for the inbox of the alert's owner, whose key is ``account_id``."""

    alert: RiskAlert


class FeedReport(InputEvent, frozen=True, kw_only=True):
    """
    Report of what one partition saw of a tenant's events on a UTC day (``processors.lost_days``).

    ``expected`` accounts should have come, ``short`` of them fell short of their usual, ``newly_short`` of
    these did not before.
    """

    topic: str
    day: int
    expected: int
    short: int
    newly_short: int
