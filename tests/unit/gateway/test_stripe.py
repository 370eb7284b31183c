"""Stripe's events as signed webhooks through the whole gateway."""

from __future__ import annotations

from typing import Any

import pytest
from stripe import WebhookSignature

from gateway.settings import GatewaySettings
from gateway.sources import stripe
from tests.support.gateway_client import NOW, Answer, GatewayClient, encoded

MONTHLY = {"id": "price_1", "nickname": "Team", "unit_amount": 1000, "recurring": {"interval": "month"}}
YEARLY = {"id": "price_2", "unit_amount": 120_000, "recurring": {"interval": "year", "interval_count": 1}}


@pytest.fixture
def gateway() -> GatewayClient:
    return GatewayClient()


def post(gateway: GatewayClient, event: Any) -> Answer:
    """Post an event as Stripe's own library signs it."""
    body = event if isinstance(event, str) else encoded(event).decode()
    header = WebhookSignature.generate_signature_header(body, "stripe-new", NOW // 1000)
    return gateway.post("/webhooks/stripe/acme", body.encode(), {"stripe-signature": header})


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
def test_invoices_of_either_api_version(
    gateway: GatewayClient, kind: str, ours: str, amount: int, about: dict[str, Any]
) -> None:
    invoice = {"id": "in_1", "customer": "cus_1", "amount_due": 5000, "amount_paid": 4000, "currency": "eur"}
    answer = post(gateway, event(kind, invoice | {"due_date": 1_781_000_000} | about))

    assert answer.status == 200
    (bill,) = gateway.sent("billing.events")
    assert (bill.event_id, bill.account_id, bill.source, bill.kind) == ("evt_1", "acme-inc", "stripe", ours)
    assert (bill.invoice_id, bill.subscription_id, bill.amount_minor, bill.currency) == (
        "in_1",
        "sub_1",
        amount,
        "EUR",
    )
    assert (bill.due_at, bill.occurred_at) == (1_781_000_000_000, NOW - 60_000)


def test_the_customer_is_the_account_where_no_metadata_names_one(gateway: GatewayClient) -> None:
    post(gateway, event("invoice.paid", {"id": "in_1", "customer": {"id": "cus_9"}}))

    assert gateway.sent("billing.events")[0].account_id == "cus_9"


def test_a_new_subscription(gateway: GatewayClient) -> None:
    items = {"data": [{"price": MONTHLY, "quantity": 5}, {"price": YEARLY, "quantity": 2}]}
    post(
        gateway,
        event("customer.subscription.created", subscription(items=items, current_period_end=1_790_000_000)),
    )

    (bill,) = gateway.sent("billing.events")
    assert (bill.kind, bill.plan, bill.seats) == ("subscription_started", "Team", 7)
    assert (bill.mrr_minor, bill.renews_at, bill.currency) == (5 * 1000 + 20_000, 1_790_000_000_000, "USD")


def test_a_downgrade_tells_before_and_after(gateway: GatewayClient) -> None:
    before = {"items": {"data": [{"price": YEARLY, "quantity": 2}]}}
    post(gateway, event("customer.subscription.updated", subscription(), before))

    (bill,) = gateway.sent("billing.events")
    assert (bill.kind, bill.mrr_minor, bill.previous_mrr_minor) == ("subscription_updated", 5000, 20_000)
    assert bill.renews_at == 1_790_000_000_000


def test_a_change_of_seats_alone(gateway: GatewayClient) -> None:
    post(gateway, event("customer.subscription.updated", subscription(), {"quantity": 9}))

    assert gateway.sent("billing.events")[0].previous_mrr_minor == 9000


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
def test_a_cancellation_scheduled_and_withdrawn(
    gateway: GatewayClient, now: dict[str, Any], before: dict[str, Any], kind: str, cancel_at: int | None
) -> None:
    post(gateway, event("customer.subscription.updated", subscription(**now), before))

    (bill,) = gateway.sent("billing.events")
    assert (bill.kind, bill.cancel_at) == (kind, cancel_at)


def test_a_subscription_that_ended(gateway: GatewayClient) -> None:
    post(gateway, event("customer.subscription.deleted", subscription(ended_at=1_780_000_000)))

    (bill,) = gateway.sent("billing.events")
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
def test_revenue_is_unknown_rather_than_wrong(gateway: GatewayClient, price: dict[str, Any]) -> None:
    items = {"data": [{"price": price, "quantity": 5}]}
    post(gateway, event("customer.subscription.created", subscription(items=items)))

    assert gateway.sent("billing.events")[0].mrr_minor is None


@pytest.mark.parametrize(("kind", "ours"), [("created", "dispute_opened"), ("closed", "dispute_closed")])
def test_disputes(gateway: GatewayClient, kind: str, ours: str) -> None:
    dispute = {"id": "dp_1", "amount": 700, "currency": "usd", "charge": {"id": "ch_1", "customer": "cus_1"}}
    post(gateway, event(f"charge.dispute.{kind}", dispute))

    (bill,) = gateway.sent("billing.events")
    assert (bill.kind, bill.account_id, bill.amount_minor) == (ours, "cus_1", 700)


def test_what_stripe_says_but_we_cannot_use_is_kept_as_dead_letter(gateway: GatewayClient) -> None:
    assert post(gateway, event("charge.dispute.created", {"id": "dp_1", "charge": "ch_1"})).status == 200
    assert post(gateway, event("invoice.paid", {"id": "in_1", "amount_paid": "five"})).status == 200
    assert post(gateway, event("customer.subscription.updated", subscription(items=7))).status == 200
    assert post(gateway, event("invoice.paid", {"customer": "a\nb"})).status == 200

    dead_letters = gateway.sent("events.deadletter")
    assert [dead_letter.reason for dead_letter in dead_letters] == [
        "unresolved_account",
        "invalid",
        "invalid",
        "invalid",
    ]
    assert [dead_letter.pointer for dead_letter in dead_letters] == [
        "/data/object/metadata",
        "/data/object/amount_paid",
        "/data/object/items",
        "/data/object/metadata/account_id",
    ]
    assert {dead_letter.topic for dead_letter in dead_letters} == {"billing.events"}


def test_events_we_have_no_use_for_are_taken(gateway: GatewayClient) -> None:
    assert post(gateway, event("customer.created", {"id": "cus_1"})).status == 200
    assert not gateway.made


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
def test_what_is_no_snapshot_event_is_400(gateway: GatewayClient, body: Any, pointer: str) -> None:
    answer = post(gateway, body)

    assert (answer.status, answer.json["pointer"]) == (400, pointer)


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
def test_a_garbled_stripe_header_is_401(gateway: GatewayClient, header: str) -> None:
    assert gateway.post("/webhooks/stripe/acme", b"{}", {"stripe-signature": header}).status == 401


TESTING = GatewaySettings.model_validate(
    {"tenants": {"acme": {"stripe_secrets": ["stripe-new"], "stripe_test_secrets": ["stripe-test"]}}}
)


@pytest.mark.parametrize(
    ("secret", "livemode", "kept"),
    [
        ("stripe-new", True, 1),
        ("stripe-new", None, 1),
        ("stripe-new", False, 0),
        ("stripe-test", False, 1),
        ("stripe-test", True, 1),
    ],
)
def test_events_of_test_mode_count_where_a_secret_for_tests_signed_them(
    secret: str, livemode: bool | None, kept: int
) -> None:
    gateway = GatewayClient(TESTING)
    body = event("customer.subscription.created", subscription())
    body |= {} if livemode is None else {"livemode": livemode}

    assert gateway.webhook(stripe.SOURCE, body, secret=secret).status == 200
    assert len(gateway.sent("billing.events")) == kept
    assert not gateway.sent("events.deadletter")
