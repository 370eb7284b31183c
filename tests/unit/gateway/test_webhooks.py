from __future__ import annotations

import json
from typing import Any

import pytest
from stripe import WebhookSignature

from gateway.sources.signatures import ZENDESK
from tests.support.gateway_client import NOW, FrontDoor

STAMP = "2026-05-28T20:26:40Z"
MONTHLY = {"id": "price_1", "nickname": "Team", "unit_amount": 1000, "recurring": {"interval": "month"}}
YEARLY = {"id": "price_2", "unit_amount": 120_000, "recurring": {"interval": "year", "interval_count": 1}}


@pytest.fixture
def door() -> FrontDoor:
    return FrontDoor()


def stripe(
    door: FrontDoor, event: Any, secret: str = "whsec_new", at: int = NOW // 1000, tenant: str = "acme"
):
    body = event if isinstance(event, str) else json.dumps(event)
    header = WebhookSignature.generate_signature_header(body, secret, at)
    return door.post(f"/webhooks/stripe/{tenant}", body.encode(), {"stripe-signature": header})


def zendesk(door: FrontDoor, event: Any, secret: str = "zen-new", stamp: str = STAMP):
    body = json.dumps(event).encode()
    headers = {ZENDESK.signature_header: ZENDESK.sign(secret, stamp, body), ZENDESK.timestamp_header: stamp}
    return door.post("/webhooks/zendesk/acme", body, headers)


def event(kind: str, obj: dict[str, Any], previous: dict[str, Any] | None = None) -> dict[str, Any]:
    data = {"object": obj} | ({} if previous is None else {"previous_attributes": previous})
    return {"id": "evt_1", "object": "event", "type": kind, "created": NOW // 1000 - 60, "data": data}


def subscription(**change: Any) -> dict[str, Any]:
    items = {"data": [{"price": MONTHLY, "quantity": 5, "current_period_end": 1_790_000_000}]}
    return {"id": "sub_1", "customer": "cus_1", "currency": "usd", "items": items, "metadata": {}} | change


@pytest.mark.parametrize(
    ("kind", "ours", "amount"),
    [
        ("invoice.payment_failed", "payment_failed", 5000),
        ("invoice.paid", "invoice_paid", 4000),
        ("invoice.payment_succeeded", "invoice_paid", 4000),
        ("invoice.finalized", "invoice_issued", 5000),
        ("invoice.voided", "invoice_voided", 5000),
    ],
)
@pytest.mark.parametrize(
    "about",
    [
        {"subscription": "sub_1", "subscription_details": {"metadata": {"account_id": "acme-inc"}}},
        {
            "parent": {
                "subscription_details": {"subscription": "sub_1", "metadata": {"account_id": "acme-inc"}}
            }
        },
        {"metadata": {"account_id": "acme-inc"}, "subscription": {"id": "sub_1", "object": "subscription"}},
    ],
)
def test_invoices_of_either_api_version(door, kind, ours, amount, about):
    invoice = {"id": "in_1", "customer": "cus_1", "amount_due": 5000, "amount_paid": 4000, "currency": "eur"}
    answer = stripe(door, event(kind, invoice | {"due_date": 1_781_000_000} | about))

    assert answer.status == 200
    (bill,) = door.on("billing.events")
    assert (bill.event_id, bill.account_id, bill.source, bill.kind) == ("evt_1", "acme-inc", "stripe", ours)
    assert (bill.invoice_id, bill.subscription_id, bill.amount_minor, bill.currency) == (
        "in_1",
        "sub_1",
        amount,
        "EUR",
    )
    assert (bill.due_at, bill.occurred_at) == (1_781_000_000_000, NOW - 60_000)


def test_the_customer_is_the_account_where_no_metadata_names_one(door):
    stripe(door, event("invoice.paid", {"id": "in_1", "customer": {"id": "cus_9"}}))

    assert door.on("billing.events")[0].account_id == "cus_9"


def test_a_new_subscription(door):
    items = {"data": [{"price": MONTHLY, "quantity": 5}, {"price": YEARLY, "quantity": 2}]}
    stripe(
        door,
        event("customer.subscription.created", subscription(items=items, current_period_end=1_790_000_000)),
    )

    (bill,) = door.on("billing.events")
    assert (bill.kind, bill.plan, bill.seats) == ("subscription_started", "Team", 7)
    assert (bill.mrr_minor, bill.renews_at, bill.currency) == (5 * 1000 + 20_000, 1_790_000_000_000, "USD")


def test_a_downgrade_tells_before_and_after(door):
    before = {"items": {"data": [{"price": YEARLY, "quantity": 2}]}}
    stripe(door, event("customer.subscription.updated", subscription(), before))

    (bill,) = door.on("billing.events")
    assert (bill.kind, bill.mrr_minor, bill.previous_mrr_minor) == ("subscription_updated", 5000, 20_000)
    assert bill.renews_at == 1_790_000_000_000


def test_a_change_of_seats_alone(door):
    stripe(door, event("customer.subscription.updated", subscription(), {"quantity": 9}))

    assert door.on("billing.events")[0].previous_mrr_minor == 9000


@pytest.mark.parametrize(
    ("now", "before", "kind", "cancel_at"),
    [
        (
            {"cancel_at_period_end": True},
            {"cancel_at_period_end": False},
            "cancel_scheduled",
            1_790_000_000_000,
        ),
        ({"cancel_at": 1_785_000_000}, {"cancel_at": None}, "cancel_scheduled", 1_785_000_000_000),
        ({"cancel_at_period_end": False}, {"cancel_at_period_end": True}, "cancel_withdrawn", None),
        ({"cancel_at": None}, {"cancel_at": 1_785_000_000}, "cancel_withdrawn", None),
        (
            {"cancel_at": 1_786_000_000},
            {"cancel_at": 1_785_000_000},
            "subscription_updated",
            1_786_000_000_000,
        ),
        ({}, {"latest_invoice": "in_0"}, "subscription_updated", None),
    ],
)
def test_a_cancellation_scheduled_and_withdrawn(door, now, before, kind, cancel_at):
    stripe(door, event("customer.subscription.updated", subscription(**now), before))

    (bill,) = door.on("billing.events")
    assert (bill.kind, bill.cancel_at) == (kind, cancel_at)


def test_a_subscription_that_ended(door):
    stripe(door, event("customer.subscription.deleted", subscription(ended_at=1_780_000_000)))

    (bill,) = door.on("billing.events")
    assert (bill.kind, bill.mrr_minor, bill.previous_mrr_minor) == ("subscription_canceled", 0, 5000)
    assert bill.cancel_at == 1_780_000_000_000


@pytest.mark.parametrize(
    "price",
    [
        {"id": "tiered", "unit_amount": None, "recurring": {"interval": "month"}},
        {"id": "once", "unit_amount": 5},
        {"id": "odd", "unit_amount": 5, "recurring": {"interval": "fortnight"}},
        {"id": "zero", "unit_amount": 5, "recurring": {"interval": "month", "interval_count": 0}},
        {"id": "huge", "unit_amount": 2**62, "recurring": {"interval": "day"}},
    ],
)
def test_revenue_is_unknown_rather_than_wrong(door, price):
    items = {"data": [{"price": price, "quantity": 5}]}
    stripe(door, event("customer.subscription.created", subscription(items=items)))

    assert door.on("billing.events")[0].mrr_minor is None


@pytest.mark.parametrize(("kind", "ours"), [("created", "dispute_opened"), ("closed", "dispute_closed")])
def test_disputes(door, kind, ours):
    dispute = {"id": "dp_1", "amount": 700, "currency": "usd", "charge": {"id": "ch_1", "customer": "cus_1"}}
    stripe(door, event(f"charge.dispute.{kind}", dispute))

    (bill,) = door.on("billing.events")
    assert (bill.kind, bill.account_id, bill.amount_minor) == (ours, "cus_1", 700)


def test_what_stripe_says_but_we_cannot_use_is_kept_as_dead_letter(door):
    assert stripe(door, event("charge.dispute.created", {"id": "dp_1", "charge": "ch_1"})).status == 200
    assert stripe(door, event("invoice.paid", {"id": "in_1", "amount_paid": "5"})).status == 200
    assert stripe(door, event("customer.subscription.updated", subscription(), {"items": 7})).status == 200
    assert stripe(door, event("invoice.paid", {"customer": "a\nb"})).status == 200

    letters = door.on("events.deadletter")
    assert [letter.reason for letter in letters] == ["unresolved_account", "invalid", "invalid", "invalid"]
    assert [letter.pointer for letter in letters] == [
        "/data/object/metadata",
        "/data/object/amount_paid",
        "/data/previous_attributes/items",
        "/data/object/metadata/account_id",
    ]
    assert {letter.topic for letter in letters} == {"billing.events"}


def test_events_we_have_no_use_for_are_taken(door):
    assert stripe(door, event("customer.created", {"id": "cus_1"})).status == 200
    assert not door.outbox.records


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"id": "evt_1", "object": "v2.core.event", "type": "v1.billing.meter.no_meter_found"}, "/object"),
        ({"object": "event"}, "/id"),
        (event("invoice.paid", {}) | {"object": "list"}, "/object"),
        (event("invoice.paid", {}) | {"created": -5}, "/created"),
        ("[]", ""),
        ("{", ""),
    ],
)
def test_what_is_no_snapshot_event_is_400(door, body, pointer):
    answer = stripe(door, body)

    assert (answer.status, answer.json["pointer"]) == (400, pointer)


@pytest.mark.parametrize(("secret", "status"), [("whsec_old", 200), ("whsec_new", 200), ("whsec_x", 401)])
def test_stripe_secrets_rotate(door, secret, status):
    assert stripe(door, event("customer.created", {}), secret).status == status


@pytest.mark.parametrize("off", [-301, 301, 10**9, 10**30])
def test_a_stripe_signature_from_another_time_is_401(door, off):
    assert stripe(door, event("customer.created", {}), at=NOW // 1000 + off).status == 401


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=",
        "t=1",
        "v1=a",
        "t=x,v1=y",
        "t=1,v1=\xe9",
        "t=1780000000,v1=" + "0" * 64,
        ",,,===",
        "t=" + "9" * 5000,
    ],
)
def test_a_garbled_stripe_header_is_401(door, header):
    assert door.post("/webhooks/stripe/acme", b"{}", {"stripe-signature": header}).status == 401


def test_a_tenant_without_secret_has_no_webhook(door):
    assert stripe(door, event("customer.created", {}), tenant="other").status == 404
    assert stripe(door, event("customer.created", {}), tenant="nobody").status == 404


def ticket(name: str, change: dict[str, Any] | None = None, **detail: Any) -> dict[str, Any]:
    return {
        "id": "d4f5c389",
        "type": f"zen:event-type:ticket.{name}",
        "account_id": 22129848,
        "subject": "zen:ticket:5158",
        "time": "2026-05-28T20:20:00.123456789Z",
        "zendesk_event_version": "2022-11-06",
        "detail": {"id": "5158", "organization_id": "8447", "priority": "HIGH", "subject": "Cannot log in"}
        | detail,
        "event": change or {},
    }


def comment(*, staff: bool, public: bool = True) -> dict[str, Any]:
    return {
        "comment": {"id": "1", "body": "hi", "is_public": public, "author": {"id": "1", "is_staff": staff}}
    }


@pytest.mark.parametrize(
    ("name", "change", "kind"),
    [
        ("created", {}, "opened"),
        ("status_changed", {"previous": "OPEN", "current": "SOLVED"}, "solved"),
        ("status_changed", {"previous": "SOLVED", "current": "CLOSED"}, "closed"),
        ("status_changed", {"previous": "SOLVED", "current": "OPEN"}, "reopened"),
        ("status_changed", {"previous": "solved", "current": "pending"}, "reopened"),
        ("status_changed", {"previous": "OPEN", "current": "DELETED"}, "deleted"),
        ("priority_changed", {"previous": "NORMAL", "current": "HIGH"}, "escalated"),
        ("priority_changed", {"previous": None, "current": "URGENT"}, "escalated"),
        ("comment_added", comment(staff=True), "answered"),
        ("comment_added", comment(staff=False), "replied"),
        ("csat_received", {"satisfaction_score": {"score": "GOOD"}}, "rated"),
        ("soft_deleted", {}, "deleted"),
        ("marked_as_spam", {}, "deleted"),
    ],
)
def test_ticket_events(door, name, change, kind):
    assert zendesk(door, ticket(name, change)).status == 200
    (step,) = door.on("support.events")
    assert (step.kind, step.ticket_id, step.account_id, step.source) == (kind, "5158", "8447", "zendesk")
    assert (step.event_id, step.severity, step.subject) == ("d4f5c389", "high", "Cannot log in")
    assert step.occurred_at == NOW - 400_000 + 123


def test_a_ticket_closed_by_a_merge_is_merged(door):
    closing = {"previous": "OPEN", "current": "CLOSED"}
    zendesk(door, ticket("status_changed", closing, tags=["vip", "closed_by_merge"]))
    (step,) = door.on("support.events")
    assert (step.kind, step.ticket_id, step.merged_into) == ("merged", "5158", None)


@pytest.mark.parametrize(("score", "csat"), [("GOOD", 5), ("bad", 1), (4, 4), ("3", 3)])
def test_ratings(door, score, csat):
    zendesk(door, ticket("csat_received", {"satisfaction_score": {"score": score}}))

    assert door.on("support.events")[0].csat == csat


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("status_changed", {"previous": "NEW", "current": "OPEN"}),
        ("status_changed", {"previous": "SOLVED", "current": "ARCHIVED"}),
        ("priority_changed", {"previous": "HIGH", "current": "LOW"}),
        ("priority_changed", {"previous": None, "current": "NORMAL"}),
        ("comment_added", comment(staff=True, public=False)),
        ("csat_received", {"satisfaction_score": {"score": "OFFERED"}}),
        ("tags_changed", {"tags_added": ["x"]}),
        ("custom_field_changed", {"current": [1], "previous": {}}),
    ],
)
def test_ticket_events_that_say_nothing_are_taken(door, name, change):
    assert zendesk(door, ticket(name, change)).status == 200
    assert not door.outbox.records


@pytest.mark.parametrize(
    ("bad", "reason", "pointer"),
    [
        (ticket("created", organization_id=None), "unresolved_account", "/detail/organization_id"),
        (ticket("created", organization_id="0"), "unresolved_account", "/detail/organization_id"),
        (ticket("created", id=None), "invalid", "/detail/id"),
        (ticket("created", priority=5), "invalid", "/detail/priority"),
        (ticket("comment_added"), "invalid", "/event/comment"),
        (ticket("comment_added", {"comment": {"is_public": True}}), "invalid", "/event/comment/author"),
        (ticket("status_changed", {"current": 5}), "invalid", "/event/current"),
        (ticket("created") | {"time": "never"}, "invalid", "/time"),
    ],
)
def test_what_zendesk_says_but_we_cannot_use_is_kept_as_dead_letter(door, bad, reason, pointer):
    assert zendesk(door, bad).status == 200
    (letter,) = door.on("events.deadletter")
    assert (letter.reason, letter.pointer, letter.topic) == (reason, pointer, "support.events")
    assert json.loads(letter.value) == bad


def test_a_trigger_payload_is_400(door):
    assert zendesk(door, {"ticket": 5}).json["pointer"] == "/id"


@pytest.mark.parametrize(
    ("secret", "stamp", "status"),
    [
        ("zen-old", STAMP, 200),
        ("zen-new", STAMP, 200),
        ("zen-x", STAMP, 401),
        ("zen-new", "2026-05-28T20:21:39Z", 401),
        ("zen-new", "2026-05-28T20:31:41Z", 401),
        ("zen-new", "lately", 401),
        ("zen-new", "", 401),
    ],
)
def test_zendesk_secrets_rotate_and_times_bind(door, secret, stamp, status):
    assert zendesk(door, ticket("tags_changed"), secret, stamp).status == status


def test_a_webhook_waits_for_the_log(door):
    door.outbox.down = True

    assert stripe(door, event("invoice.paid", {"customer": "cus_1"})).status == 503
