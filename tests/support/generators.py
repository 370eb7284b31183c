"""Hypothesis strategies for events, facts and batches of one small book."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import strategies as st

from processors.intake.usage_rollup_rows import roll_up
from schemas.inputs import batch_lists
from schemas.records import (
    AccountProfile,
    BillingEvent,
    EngagementEvent,
    JournalBatch,
    SupportEvent,
    SurveyResponse,
    UsageEvent,
)
from schemas.times import DAY

NOW = 1_790_000_000_000
ACCOUNTS = ("a", "b")

ENGAGEMENTS = (
    "touch", "email_sent", "email_received", "meeting", "training_attended", "milestone_set",
    "milestone_reached", "goal_set", "goal_achieved", "goal_withdrawn", "champion_named", "champion_left",
    "sponsor_named", "sponsor_left", "key_action", "praise_received", "complaint_received", "advocacy_shown",
)  # fmt: skip

OWN_VALUES = st.none() | st.booleans() | st.sampled_from((0.0, 3.0, 4.5, "2026-09-01", "gold"))
OWN = {
    "n": {"kind": "number", "forget_after": "30d"},
    "m": {"kind": "number", "unit": "versions"},
    "d": {"kind": "date"},
    "f": {"kind": "flag", "forget_after": "60d"},
    "p": {"kind": "pulse"},
    "c": {"kind": "count", "days": 30},
    "u": {"kind": "users", "days": 28, "per": "seats"},
}
"""Declarations of the own facts and counters that events of ``events`` speak of."""

times = st.integers(NOW - 89 * DAY, NOW)


@st.composite
def events(draw: st.DrawFn) -> Any:
    """One event of any kind, without its id."""
    common = {
        "tenant": "acme",
        "account_id": draw(st.sampled_from(ACCOUNTS)),
        "source": "test",
        "occurred_at": draw(times),
        "received_at": NOW,
    }
    kind = draw(st.sampled_from(("usage", "usage", "support", "billing", "survey", "engagement", "profile")))
    small = st.none() | st.integers(0, 5)
    match kind:
        case "usage":
            return UsageEvent, common | {
                "user_id": draw(st.none() | st.sampled_from("uvwxyz")),
                "name": "did",
                "feature": draw(st.none() | st.sampled_from("fgh")),
                "duration_ms": draw(st.none() | st.integers(0, 10**9)),
                "error": draw(st.booleans()),
                "latency_ms": draw(st.none() | st.integers(0, 10**6)),
            }
        case "support":
            kinds = ("opened", "replied", "answered", "escalated", "solved", "reopened", "closed", "rated")
            return SupportEvent, common | {
                "ticket_id": draw(st.sampled_from("123")),
                "kind": draw(st.sampled_from((*kinds, "deleted", "merged"))),
                "merged_into": draw(st.none() | st.sampled_from("123")),
                "severity": draw(st.sampled_from(("unknown", "low", "normal", "high", "urgent"))),
                "csat": draw(st.none() | st.integers(1, 5)),
            }
        case "billing":
            kinds = ("subscription_started", "subscription_updated", "cancel_scheduled", "cancel_withdrawn")
            kinds += ("subscription_canceled", "invoice_issued", "payment_failed", "invoice_paid")
            kinds += ("invoice_voided", "dispute_opened", "dispute_closed")
            return BillingEvent, common | {
                "kind": draw(st.sampled_from(kinds)),
                "subscription_id": draw(st.sampled_from("st")),
                "invoice_id": draw(st.sampled_from("ij")),
                "amount_minor": draw(small),
                "due_at": draw(st.none() | times),
                "seats": draw(small),
                "mrr_minor": draw(small),
                "previous_mrr_minor": draw(small),
                "renews_at": draw(st.none() | st.integers(NOW, NOW + 200 * DAY)),
            }
        case "survey":
            return SurveyResponse, common | {
                "survey_id": draw(st.sampled_from("qr")),
                "user_id": draw(st.none() | st.sampled_from("uv")),
                "kind": draw(st.sampled_from(("nps", "csat", "ces"))),
                "score": draw(st.none() | st.integers(1, 5)),
                "step": draw(st.sampled_from(("answered", "answered", "sent", "withdrawn"))),
                "edited_at": draw(st.none() | times),
            }
        case "engagement":
            return EngagementEvent, common | {
                "kind": draw(st.sampled_from(ENGAGEMENTS)),
                "user_id": draw(st.none() | st.sampled_from("uv")),
                "name": draw(st.none() | st.sampled_from("mn")),
                "due_at": draw(st.none() | times),
                "worth_minor": draw(small),
            }
        case _:
            return AccountProfile, common | {
                "name": draw(st.none() | st.text(max_size=5)),
                "owner": draw(st.none() | st.sampled_from(("ann", "bob"))),
                "seats": draw(small),
                "country": draw(st.none() | st.sampled_from(("DE", "US"))),
                "started_at": draw(st.none() | st.integers(NOW - 900 * DAY, NOW)),
                "features": draw(small),
                "key_feature": draw(st.none() | st.sampled_from("fgh")),
                "uptime_ppm": draw(st.none() | st.integers(0, 1_000_000)),
                "own": draw(st.dictionaries(st.sampled_from("nmdfp"), OWN_VALUES, max_size=2)),
                "author": draw(st.none() | st.sampled_from(("ann", "bob"))),
                "counted": draw(st.dictionaries(st.sampled_from("cu"), st.integers(1, 3), max_size=2)),
                "user_id": draw(st.none() | st.sampled_from("uv")),
            }


@st.composite
def histories(draw: st.DrawFn, most: int = 15) -> list[Any]:
    """A list of distinct events, in no order."""
    made = draw(st.lists(events(), max_size=most))
    return [type_(event_id=f"e{number}", **fields) for number, (type_, fields) in enumerate(made)]


def batch(sequence: int, written_at: int, happened: list[Any], **counts: int) -> JournalBatch:
    """The journal batch of these events."""
    import msgspec

    usage = [msgspec.structs.asdict(event) for event in happened if isinstance(event, UsageEvent)]
    others = batch_lists(event for event in happened if not isinstance(event, UsageEvent))
    return JournalBatch(sequence=sequence, written_at=written_at, usage=roll_up(usage), **others, **counts)


@st.composite
def batchings(draw: st.DrawFn, happened: list[Any]) -> list[JournalBatch]:
    """The same events in some order and some cut into batches, all written at NOW; a last one is empty."""
    order = draw(st.permutations(happened))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=3)))
    pieces = [order[a:b] for a, b in itertools.pairwise([0, *cuts, len(order)])]
    return [batch(number, NOW, piece) for number, piece in enumerate([*pieces, []])]
