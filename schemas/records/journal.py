"""Records of the journal: batches of input, and the tick that sets its clock in a simulation."""

from __future__ import annotations

import msgspec

from schemas.records.events import (
    AccountLink,
    AccountOverride,
    AccountProfile,
    AccountTransfer,
    AlertAction,
    BillingEvent,
    EngagementEvent,
    FeedReport,
    ModelChange,
    OwnerAlert,
    SupportEvent,
    SurveyResponse,
)

__all__ = ["ClockTick", "JournalBatch", "SourceRange", "UsageCell"]


class UsageCell(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    The usage of one account on one UTC day (``day``, counted from 1970-01-01) within a batch, rolled up.

    ``users`` holds the 32-bit hashes of the users in ascending order, four little-endian bytes each.
    ``latency_ms`` is the sum of ``latencies`` known latencies; ``received_at`` is the earliest one.
    """

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
    """
    The input that reached one partition between two times; ``written_at`` is *now* for all that reads it.

    ``sequence`` counts the batches of a partition without a gap. ``schemas.inputs`` says which list holds the
    events of which topic.
    """

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
    owner_alerts: list[OwnerAlert] = []
    erased: int = 0
    feed_reports: list[FeedReport] = []


class ClockTick(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The time of a simulation, UTC milliseconds, which the journal takes in place of the wall clock."""

    now: int
