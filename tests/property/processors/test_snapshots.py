"""Snapshots: whatever came before, in whatever order, the newest one is the state."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.merging.merge import merge
from processors.observe import observe_billing, observe_support
from processors.observe.snapshots import newest, united_snapshots
from processors.state.account import State
from processors.state.encoding import decode_state, encode_state
from processors.state.parts import Snapshot
from schemas.records import BillingEvent, SupportEvent
from tests.support.gateway_client import NOW
from tests.support.vendor_accounts import (
    Accounts,
    items,
    stripe_event,
    subscription,
    ticket_event,
)

STATUSES = (
    "incomplete", "incomplete_expired", "trialing", "active", "past_due", "unpaid", "paused", "canceled",
)  # fmt: skip
TIERED = {"billing_scheme": "tiered", "unit_amount": None}

subscriptions = st.fixed_dictionaries(
    {
        "status": st.sampled_from(STATUSES),
        "cancel_at_period_end": st.booleans(),
        "cancel_at": st.none() | st.just(NOW // 1000 + 10**6),
        "pause_collection": st.none() | st.just({"behavior": "void"}),
        "items": st.integers(1, 3).map(items) | st.just(items(2, **TIERED)),
    }
)
times = st.integers(1, 3).map(lambda seconds: NOW - seconds * 1000)


@st.composite
def stripe_histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Events of one subscription, of which any may be missing, repeated, swapped or of one second."""
    states = draw(st.lists(subscriptions, min_size=1, max_size=6))
    history = []
    for number, state in enumerate(states):
        kind = draw(st.sampled_from(("created", "updated", "updated", "deleted")))
        previous = draw(st.none() | st.just(states[number - 1]) | subscriptions)
        event = stripe_event(f"evt_{number}", kind, subscription(**state), previous, at=draw(times))
        history += [event] * draw(st.integers(0, 2))
    return draw(st.permutations(history))


def about_subscription(accounts: Accounts) -> list[Any]:
    known = accounts.states["acme"].billing.subscriptions["sub_1"]
    terms = (known.status, known.standing, known.cancel_at, known.seats, known.mrr_minor, known.renews_at)
    names = ("billing.commitment", "billing.cancellation", "billing.renewal", "revenue.mrr")
    return [terms, [accounts.measure("acme", name) for name in names]]


@settings(max_examples=60, deadline=None)
@given(stripe_histories(), subscriptions, st.sampled_from(("updated", "resumed")))
def test_stripes_last_word_is_the_subscription(
    history: list[dict[str, Any]], last: dict[str, Any], kind: str
) -> None:
    event = stripe_event("evt_last", kind, subscription(**last))
    late = Accounts().send("stripe", event)

    accounts = Accounts().send("stripe", *history, event)
    # A downgrade is news of the past, not a state.
    for each in accounts.states["acme"].billing.subscriptions.values():
        each.downgraded_at = (-1, 0)
    assert about_subscription(accounts) == about_subscription(late)


tickets = st.fixed_dictionaries(
    {
        "status": st.sampled_from(("NEW", "OPEN", "PENDING", "HOLD", "SOLVED", "CLOSED", "DELETED")),
        "priority": st.sampled_from((None, "LOW", "NORMAL", "HIGH", "URGENT")),
    }
)
ticket_changes = st.sampled_from(
    (
        ("created", {}),
        ("comment_added", {"comment": {"author": {"is_staff": False}}}),
        ("csat_received", {"satisfaction_score": {"score": "BAD"}}),
        ("soft_deleted", {}),
        ("undeleted", {}),
        ("organization_changed", {"current": "A", "previous": "B"}),
        ("tags_changed", {}),
    )
)


@st.composite
def zendesk_histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Events of one ticket, of which any may be missing, repeated, swapped or of one time."""
    history = []
    for number, ticket in enumerate(draw(st.lists(tickets, min_size=1, max_size=6))):
        name, change = draw(ticket_changes)
        event = ticket_event(f"e-{number}", name, ticket, change, at=draw(times))
        history += [event] * draw(st.integers(0, 2))
    return draw(st.permutations(history))


@settings(max_examples=60, deadline=None)
@given(zendesk_histories(), tickets, st.sampled_from(("tags_changed", "undeleted")))
def test_zendesks_last_word_is_the_ticket(
    history: list[dict[str, Any]], last: dict[str, Any], name: str
) -> None:
    event = ticket_event("e-last", name, last)
    accounts = Accounts().send("zendesk", *history, event)

    known = accounts.states["A"].tickets["901"]
    assert known.gone == (last["status"] == "DELETED")
    assert known.open == (last["status"] in ("NEW", "OPEN", "PENDING", "HOLD"))
    assert known.severity == (last["priority"] or "unknown").lower()


@given(st.lists(st.integers(0, 3), min_size=1, max_size=7), st.randoms())
def test_the_end_of_a_chain_is_the_newest(versions: list[int], random: Any) -> None:
    """Also of one that comes back to where it was, as on, off and on again."""
    chain = [
        Snapshot(at=7, order=random.getrandbits(28) * 8 + number, previous=previous, version=version)
        for number, (previous, version) in enumerate(itertools.pairwise([None, *versions]))
    ]
    random.shuffle(chain)
    assert newest(united_snapshots(chain)).version == versions[-1]


@st.composite
def snapshot_events(draw: st.DrawFn) -> list[Any]:
    """Distinct events of one subscription and one ticket, snapshots or not, many of them of one time."""
    events: list[Any] = []
    version = st.none() | st.integers(0, 3)
    for number in range(draw(st.integers(1, 7))):
        common = {
            "event_id": f"e{number}", "tenant": "t", "account_id": "a", "source": "s", "received_at": 0,
            "occurred_at": draw(st.integers(5, 8)), "snapshot": draw(st.booleans()),
            "version": draw(version), "previous_version": draw(version),
        }  # fmt: skip
        if draw(st.booleans()):
            kinds = ("subscription_started", "subscription_updated", "cancel_scheduled", "cancel_withdrawn")
            events.append(
                BillingEvent(
                    **common,
                    kind=draw(st.sampled_from((*kinds, "subscription_canceled"))),
                    status=draw(st.sampled_from(("unknown", "active", "past_due", "unpaid", "expired"))),
                    cancel_scheduled=draw(st.booleans()),
                    subscription_id="s",
                    seats=draw(st.none() | st.integers(1, 3)),
                    mrr_minor=draw(st.none() | st.integers(0, 3)),
                    previous_mrr_minor=draw(st.none() | st.integers(0, 3)),
                    renews_at=draw(st.none() | st.integers(5, 8)),
                )
            )
        else:
            kinds = ("opened", "replied", "solved", "reopened", "closed", "rated", "updated", "moved")
            events.append(
                SupportEvent(
                    **common,
                    kind=draw(st.sampled_from((*kinds, "deleted", "merged"))),
                    status=draw(st.sampled_from(("unknown", "open", "solved"))),
                    ticket_id=draw(st.sampled_from("12")),
                    severity=draw(st.sampled_from(("unknown", "low", "urgent"))),
                    sequence=draw(st.none() | st.integers(0, 2)),
                    opened_at=draw(st.none() | st.integers(1, 8)),
                    merged_into=draw(st.none() | st.just("2")),
                )
            )
    return events


def folded(events: list[Any]) -> State:
    state = State("t", "a")
    for event in events:
        (observe_billing if isinstance(event, BillingEvent) else observe_support)(state, event)
    return state


@settings(max_examples=300, deadline=None)
@given(snapshot_events(), st.data())
def test_order_and_merging_change_nothing(events: list[Any], data: st.DataObject) -> None:
    expected = encode_state(folded(events))
    order = data.draw(st.permutations(events))
    assert encode_state(folded(order)) == expected

    cut = data.draw(st.integers(0, len(order)))
    one, other = folded(order[:cut]), decode_state(encode_state(folded(order[cut:])))
    merge(one, other)
    assert encode_state(one) == expected
