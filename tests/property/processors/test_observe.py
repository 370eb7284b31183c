"""The folds commute: few things, few times and many ties, in any two orders, give the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.observe import observe_billing, observe_engagement, observe_support, observe_survey
from processors.observe.account_acts import observe_account_act
from processors.state.account import State
from processors.state.encoding import encode_state
from schemas.records import AlertAction, BillingEvent, EngagementEvent, SupportEvent, SurveyResponse
from schemas.times import DAY

ABOUT = {"tenant": "acme", "account_id": "a", "source": "test", "received_at": 0}
moments = st.integers(1, 6)


def one_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


STEPS: dict[Callable[..., None], tuple[type, dict[str, st.SearchStrategy[Any]]]] = {
    observe_support: (
        SupportEvent,
        {
            "occurred_at": moments,
            "ticket_id": one_of("1", "2", "3"),
            "kind": one_of("opened", "solved", "reopened", "merged", "deleted", "answered", "rated"),
            "merged_into": one_of(None, "1", "2", "3"),
            "severity": one_of("unknown", "low", "urgent"),
            "csat": one_of(None, 3),
        },
    ),
    observe_survey: (
        SurveyResponse,
        {
            "occurred_at": moments,
            "survey_id": st.just("q"),
            "kind": one_of("nps", "ces"),
            "score": one_of(None, 1, 5),
            "step": one_of("answered", "answered", "sent", "withdrawn"),
            "edited_at": st.none() | moments,
        },
    ),
    observe_engagement: (
        EngagementEvent,
        {
            "occurred_at": moments,
            "kind": one_of(
                "goal_set", "goal_achieved", "goal_withdrawn", "champion_named", "champion_left",
                "email_sent", "touch", "complaint_received",
            ),
            "name": one_of("m", "n"),
            "user_id": one_of(None, "u"),
            "due_at": one_of(None, 5, 6),
            "worth_minor": one_of(None, 1, 2),
        },
    ),
    observe_account_act: (
        AlertAction,
        {
            "occurred_at": moments,
            "alert_id": one_of("k1", "k2"),
            "kind": one_of("noted", "task_set", "task_set", "task_done", "task_reopened"),
            "author": one_of("kim", "ines"),
            "note": one_of("call", "write"),
            "until": one_of(None, 5),
            "assignee": one_of(None, "bo"),
        },
    ),
    observe_billing: (
        BillingEvent,
        {
            "occurred_at": moments.map(lambda at: at * DAY // 3),
            "kind": one_of(
                "subscription_started", "subscription_updated", "cancel_scheduled", "cancel_withdrawn",
                "invoice_issued", "invoice_voided", "payment_failed", "invoice_paid", "dispute_opened",
            ),
            "subscription_id": st.just("s"),
            "invoice_id": one_of(None, "i", "j"),
            "mrr_minor": one_of(None, 1, 2),
            "amount_minor": one_of(None, 3),
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("observe", STEPS, ids=lambda observe: observe.__name__)
@given(data=st.data())
def test_order_does_not_matter(observe: Callable[..., None], data: st.DataObject) -> None:
    record, fields = STEPS[observe]
    drawn = data.draw(st.lists(st.fixed_dictionaries(fields), min_size=2, max_size=7))
    happened = [record(**ABOUT, event_id=f"e{number}", **step) for number, step in enumerate(drawn)]
    one, other = State(), State()
    for event in happened:
        observe(one, event)
    for event in data.draw(st.permutations(happened)):
        observe(other, event)
    assert encode_state(one) == encode_state(other)
