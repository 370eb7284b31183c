"""What a batch brought, in words."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from bellbuoy.query.batch_summary import batch_summary
from bellbuoy.query.history import of_account
from bellbuoy.query.score_changes import score_change
from processors.intake.usage_rollup_rows import roll_up
from schemas.records import (
    AccountLink,
    AccountOverride,
    AccountProfile,
    AccountTransfer,
    AlertAction,
    BillingEvent,
    Cap,
    EngagementEvent,
    JournalBatch,
    Measure,
    ModelChange,
    SupportEvent,
    SurveyResponse,
)
from schemas.times import DAY
from tests.support.output_records import health

NOW = 20_600 * DAY + 32_400_000
COMMON: dict[str, Any] = {
    "event_id": "e1",
    "tenant": "demo",
    "account_id": "acme",
    "source": "test",
    "occurred_at": NOW,
    "received_at": NOW,
}


def batch(**lists: Any) -> JournalBatch:
    return JournalBatch(sequence=1, written_at=NOW, **lists)


def usage(*users: str | None, at: int = NOW, account: str = "acme", error: bool = False) -> Any:
    return roll_up(
        [
            COMMON
            | {
                "account_id": account,
                "occurred_at": at,
                "user_id": user,
                "name": "did",
                "feature": None,
                "duration_ms": None,
                "error": error,
                "latency_ms": None,
            }
            for user in users
        ]
    )


def test_usage_is_one_phrase() -> None:
    assert batch_summary(batch(usage=usage("u", "v", "u"))) == ["3 usage events of 2 users"]
    assert batch_summary(batch(usage=usage("u"))) == ["1 usage event of 1 user"]
    assert batch_summary(batch(usage=usage(None, None, error=True))) == ["2 usage events, 2 with an error"]


def test_late_usage_says_since_when() -> None:
    late = usage("u", at=NOW - 3 * DAY) + usage("u")

    assert batch_summary(batch(usage=late)) == ["2 usage events of 1 user, since 2026-05-24"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "opened", "severity": "urgent"}, "ticket t-1 opened (urgent)"),
        ({"kind": "replied"}, "customer replied to ticket t-1"),
        ({"kind": "rated", "csat": 2}, "ticket t-1 rated 2 of 5"),
        ({"kind": "merged", "merged_into": "t-2"}, "ticket t-1 merged into t-2"),
        ({"kind": "unknown"}, "something happened to ticket t-1"),
    ],
)
def test_tickets(fields: dict[str, Any], words: str) -> None:
    assert batch_summary(batch(support=[SupportEvent(**COMMON, ticket_id="t-1", **fields)])) == [words]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "payment_failed", "invoice_id": "in-7"}, "payment failed for in-7"),
        ({"kind": "invoice_voided", "invoice_id": "in-7"}, "invoice in-7 voided"),
        ({"kind": "subscription_started", "subscription_id": "s"}, "subscription s started"),
        (
            {"kind": "cancel_scheduled", "subscription_id": "s", "cancel_at": NOW},
            "cancellation of s scheduled for 2026-05-27",
        ),
        ({"kind": "unknown"}, "something happened to the subscription"),
    ],
)
def test_billing(fields: dict[str, Any], words: str) -> None:
    assert batch_summary(batch(billing=[BillingEvent(**COMMON, **fields)])) == [words]


def test_everything_else() -> None:
    said = batch_summary(
        batch(
            surveys=[
                SurveyResponse(**COMMON, survey_id="q", kind="nps", score=9),
                SurveyResponse(**COMMON, survey_id="q", kind="csat", score=None),
                SurveyResponse(**COMMON, survey_id="q", kind="ces", step="sent"),
            ],
            engagement=[
                EngagementEvent(**COMMON, kind="champion_left"),
                EngagementEvent(**COMMON, kind="goal_set", name="save"),
            ],
            profiles=[AccountProfile(**COMMON, owner="ann", parent_id="group")],
            actions=[
                AlertAction(**COMMON, alert_id="a1", kind="acknowledged", author="ann"),
                AlertAction(**COMMON, alert_id="", kind="noted", author="ann", note="They hire"),
                AlertAction(
                    **COMMON,
                    alert_id="k1",
                    kind="task_set",
                    author="ann",
                    note="Call",
                    until=NOW,
                    assignee="ben",
                ),
                AlertAction(**COMMON, alert_id="k1", kind="task_done", author="ben", note="Call"),
                AlertAction(**COMMON, alert_id="k1", kind="task_reopened", author="ben"),
            ],
            overrides=[
                AccountOverride(**COMMON, target="score", value=35, reason="Told us", author="ann"),
                AccountOverride(**COMMON, target="score", reason="Over", author="ben"),
            ],
            links=[AccountLink(**COMMON, into="other")],
            transfers=[AccountTransfer(**COMMON, origin="old", state=b"")],
        )
    )

    assert said == [
        "NPS answer of 9",
        "CSAT declined",
        "CES sent",
        "champion left",
        "goal set: save",
        "profile said owner, parent_id",
        "alert acknowledged by ann",
        "note by ann: They hire",
        "task for ben by ann, due 2026-05-27: Call",
        "task done by ben: Call",
        "task reopened by ben: k1",
        "score overridden with 35 by ann: Told us",
        "override of score withdrawn by ben",
        "acme linked to other",
        "data of old merged in",
    ]


def test_a_batch_of_an_account_keeps_what_is_its_own() -> None:
    change = ModelChange(**COMMON | {"account_id": "*"}, author="kim", text=None)
    link = AccountLink(**COMMON, into="holding")
    whole = batch(
        usage=usage("u") + usage("v", account="other"),
        links=[link, AccountLink(**COMMON | {"account_id": "alias"}, into="acme")],
        models=[change, ModelChange(**COMMON | {"tenant": "else"}, author="kim")],
    )

    mine = of_account(whole, "demo", "acme")

    assert mine is not None
    assert (mine.sequence, mine.written_at) == (1, NOW)
    assert [cell.account_id for cell in mine.usage] == ["acme"]
    assert (mine.links, mine.models) == ([link], [change])
    assert of_account(whole, "demo", "nobody") is None
    assert of_account(whole, "else", "acme") is None


def test_a_move_names_what_each_part_gained_or_lost() -> None:
    def measured(points: float) -> Measure:
        return replace(health().measures[0], contribution=points)

    before = health(score=60.0, measures=[measured(60.0)], caps=[])
    cap = Cap(name="cancel", limit=20.0, contribution=-30.1, until=None, reason="")
    after = health(sequence=2, score=20.0, measures=[measured(50.1)], caps=[cap])

    moved = score_change(before, after, batch(support=[SupportEvent(**COMMON, ticket_id="t", kind="opened")]))

    assert (moved.before, moved.after, moved.change) == (60.0, 20.0, -40.0)
    assert moved.parts == {"cap cancel": -30.1, "usage.drop": -9.9}
    assert list(moved.parts) == ["cap cancel", "usage.drop"]
    assert moved.came == ["ticket t opened"]


def test_where_nothing_came_time_passed_or_the_model_changed() -> None:
    before, after = health(), health(sequence=2, score=49.0)
    other = health(sequence=2, score=49.0, model="strict")

    assert score_change(before, after, batch()).came == ["time passed"]
    assert score_change(before, other, batch()).came == ["model strict 1 in place of default 1"]
    assert score_change(None, after, batch()).before is None
