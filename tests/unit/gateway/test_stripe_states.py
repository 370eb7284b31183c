"""What an account is known to be after Stripe's webhooks: the state that the newest object says."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from schemas.times import DAY
from tests.support.gateway_client import NOW
from tests.support.vendor_accounts import Accounts, items, stripe_event, subscription

PAGE = (Path(__file__).parents[3] / "docs/sources/stripe.md").read_text()
ENDS = NOW // 1000 + 20 * 86_400
SCHEDULED = {"cancel_at": ENDS}
TIERED = {"unit_amount": None, "billing_scheme": "tiered"}


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading."""
    lines = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line[:1] == "|"][2:]


def known(accounts: Accounts, account: str = "acme") -> dict[str, str]:
    """Return what a reader of `explain` is told."""
    names = ("billing.commitment", "revenue.mrr", "billing.signals", "billing.cancellation")
    return {name: accounts.measure(account, name).reason for name in names}


@pytest.mark.parametrize("row", rows("What a subscription is"), ids=lambda row: row[0])
@pytest.mark.parametrize("history", ["first", "after a running one"])
def test_every_row_of_the_page(row: list[str], history: str) -> None:
    said, commitment, mrr, sign, cap = row
    accounts = Accounts()
    if history != "first":
        accounts.send("stripe", stripe_event("evt_0", "created", subscription(), at=NOW - 5 * DAY))
    accounts.send("stripe", stripe_event("evt_1", "updated", subscription(**json.loads(said.strip("`")))))

    told = known(accounts)
    assert told["billing.commitment"] == commitment
    assert told["revenue.mrr"] == (f"{mrr} a month" if mrr[0].isdigit() else "No recurring revenue known")
    assert told["billing.signals"] == (f"In 90 days: {sign}" if sign else "No sign of leaving")
    assert accounts.measure("acme", "billing.cancellation").value == {"": 0, "20": 1, "0": 2}[cap]


def test_the_page_has_every_status() -> None:
    said = [json.loads(row[0].strip("`")) for row in rows("What a subscription is")]
    assert {each["status"] for each in said} == {
        "incomplete", "incomplete_expired", "trialing", "active", "past_due", "unpaid", "paused", "canceled",
    }  # fmt: skip


def test_a_cancellation_is_seen_in_an_update_about_something_else() -> None:
    event = stripe_event("evt_1", "updated", subscription(**SCHEDULED), {"metadata": {"k": "1"}})
    accounts = Accounts().send("stripe", event)
    assert known(accounts)["billing.cancellation"] == "Cancellation scheduled"


@pytest.mark.parametrize("end", [SCHEDULED, {"cancel_at_period_end": True}])
def test_a_subscription_with_an_end_from_the_beginning(end: dict[str, Any]) -> None:
    accounts = Accounts().send("stripe", stripe_event("evt_1", "created", subscription(**end)))
    assert known(accounts)["billing.commitment"] == "Cancellation scheduled"
    assert accounts.measure("acme", "billing.cancellation").until == ENDS * 1000


def test_a_withdrawal_that_was_missed() -> None:
    accounts = Accounts().send(
        "stripe",
        stripe_event("evt_1", "created", subscription(**SCHEDULED), at=NOW - DAY),
        stripe_event("evt_2", "updated", subscription(), {"metadata": {"k": "1"}}),
    )
    assert known(accounts)["billing.commitment"] == "Subscription running"


@pytest.mark.parametrize("price", [TIERED, {"unit_amount": None, "custom_unit_amount": {"minimum": 1}}])
def test_a_price_that_became_unknown(price: dict[str, Any]) -> None:
    old, new = items(1), items(40, **price)
    accounts = Accounts().send(
        "stripe",
        stripe_event("evt_1", "created", subscription(), at=NOW - 60 * DAY),
        stripe_event("evt_2", "updated", subscription(items=new), {"items": old}),
    )
    assert accounts.measure("acme", "revenue.mrr").value is None
    assert accounts.measure("acme", "revenue.net_retention").value is None
    assert accounts.measure("acme", "revenue.lifetime_value").value is None

    accounts.send("stripe", stripe_event("evt_3", "updated", subscription(), {"items": new}, at=NOW + 1000))
    assert accounts.measure("acme", "revenue.mrr").value == 10_000


@pytest.mark.parametrize("trial", [{"status": "trialing"}, {"status": "trialing", "pause_collection": {}}])
def test_a_trial_beside_a_running_subscription_does_not_stand_for_the_account(trial: dict[str, Any]) -> None:
    accounts = Accounts().send(
        "stripe",
        stripe_event("evt_1", "created", subscription(), at=NOW - DAY),
        stripe_event("evt_2", "created", subscription(id="sub_2", **trial)),
    )
    assert known(accounts)["billing.commitment"] == "Subscription running"


YEARLY = {"interval": "year"}
NULLS = {"interval": "month", "interval_count": None, "usage_type": None}
OFF_USD = {"usd": {"amount_off": 2_000}}
PLAN = {"id": "plan_1", "amount": 5_000, "currency": "usd", "interval": "month", "interval_count": 1}


def in_currency(code: str) -> dict[str, Any]:
    """Return the subscription to a price of another currency."""
    return {"currency": code, "items": items(1, currency=code)}


@pytest.mark.parametrize(
    ("said", "mrr"),
    [
        ({"items": items(10_000, unit_amount=None, unit_amount_decimal="0.35")}, 3_500),
        ({"items": items(3, recurring={"interval": "month", "interval_count": 3})}, 10_000),
        ({"items": items(2, recurring=YEARLY)}, 1_667),
        ({"items": items(25, transform_quantity={"divide_by": 10, "round": "up"})}, 30_000),
        ({"items": items(25, transform_quantity={"divide_by": 10, "round": "down"})}, 20_000),
        ({"items": {"data": items(1)["data"] + items(2, recurring=YEARLY)["data"]}}, 11_667),
        ({"items": {"data": items(1)["data"] + items(1, **TIERED)["data"]}}, None),
        ({"items": items(1) | {"has_more": True}}, None),
        ({"items": items(1, recurring={"interval": "month", "usage_type": "metered"})}, 0),
        ({"discounts": ["di_1"]}, 10_000),
        ({"discounts": [{"id": "di_1", "coupon": {"percent_off": 25, "duration": "forever"}}]}, 7_500),
        ({"discounts": [{"id": "di_1", "source": {"coupon": {"percent_off": 12.5}}}]}, 8_750),
        ({"discount": {"id": "di_1", "coupon": {"amount_off": 20_000, "duration": "repeating"}}}, 0),
        ({"discount": {"id": "di_1", "coupon": {"percent_off": 50, "duration": "once"}}}, 10_000),
        # Stripe names a discount by its id beside the same one whole, until the endpoint's version drops it.
        ({"discount": {"id": "di_1", "coupon": {"percent_off": 50}}, "discounts": ["di_1"]}, 5_000),
        ({"discounts": [{"id": "di_1", "coupon": {"amount_off": 1_000, "currency": "usd"}}]}, 9_000),
        ({"discounts": [{"id": "di_1", "coupon": {"amount_off": 1_000, "currency": "eur"}}]}, 10_000),
        (
            {"discounts": [{"coupon": {"amount_off": 1, "currency": "eur", "currency_options": OFF_USD}}]},
            8_000,
        ),
        ({"currency": "eur"}, None),
        ({"currency": "eur", "items": items(2, currency_options={"eur": {"unit_amount": 9_000}})}, 18_000),
        (
            {"currency": "eur", "items": items(2, currency_options={"eur": {"unit_amount_decimal": "0.5"}})},
            1,
        ),
        ({"items": {"data": [{"quantity": 2, "plan": PLAN}]}}, 10_000),
        ({"items": {"data": [{"quantity": 2, "plan": PLAN | {"interval": "year"}}]}}, 833),
        ({"items": {"data": [{"quantity": 2, "plan": PLAN | {"billing_scheme": "tiered"}}]}}, None),
        ({"items": items(1, billing_scheme=None, recurring=NULLS) | {"has_more": None}}, 10_000),
        ({"items": items(1, recurring={"interval": "month", "interval_count": 0})}, None),
        (in_currency("jpy"), 10_000),
        (in_currency("kwd"), 10_000),
        (in_currency("isk"), 100),
        (in_currency("ugx"), 100),
        (in_currency("huf"), 10_000),
        (in_currency("twd"), 10_000),
        (in_currency("mga"), 1_000_000),
    ],
)
def test_what_a_price_comes_to(said: dict[str, Any], mrr: int | None) -> None:
    accounts = Accounts().send("stripe", stripe_event("evt_1", "created", subscription(**said)))
    assert accounts.measure("acme", "revenue.mrr").value == mrr


@pytest.mark.parametrize(
    "previous",
    [
        {"items": {"data": [{"price": "price_1"}]}},
        {"items": {"data": None}},
        {"discount": "di_1"},
        {"cancel_at": "never"},
        {"quantity": -1},
        [],
        "x",
    ],
)
def test_what_was_before_may_be_of_any_shape(previous: Any) -> None:
    """It is news only: the object says what is so."""
    event = stripe_event("evt_1", "updated", subscription(**SCHEDULED), previous)
    assert known(Accounts().send("stripe", event))["billing.commitment"] == "Cancellation scheduled"


def test_numbers_may_be_written_as_text() -> None:
    price = {"interval": "month", "interval_count": "1"}
    said = subscription(cancel_at=str(ENDS), items=items("3", recurring=price))
    accounts = Accounts().send("stripe", stripe_event("evt_1", "updated", said))
    assert accounts.measure("acme", "revenue.mrr").value == 30_000
    assert accounts.measure("acme", "billing.cancellation").until == ENDS * 1000


def in_every_order(*events: dict[str, Any]) -> list[Accounts]:
    return [Accounts().send("stripe", *order) for order in itertools.permutations(events)]


@pytest.mark.parametrize("ids", list(itertools.permutations(["evt_A1", "evt_B1", "evt_C1"])))
def test_events_of_one_second_are_a_chain(ids: tuple[str, str, str]) -> None:
    """One seat, then five, then three: the last is known, whatever the ids and the order of arrival."""
    one, five, three = items(1), items(5), items(3)
    for accounts in in_every_order(
        stripe_event(ids[0], "created", subscription(items=one)),
        stripe_event(ids[1], "updated", subscription(items=five), {"items": one, "quantity": 1}),
        stripe_event(ids[2], "updated", subscription(items=three), {"items": five, "quantity": 5}),
    ):
        assert accounts.measure("acme", "revenue.mrr").value == 30_000


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("created", [0, DAY])
def test_scheduled_and_withdrawn_in_one_second(number: int, created: int) -> None:
    before = stripe_event(f"evt_{number}", "created", subscription(), at=NOW - created)
    scheduled = stripe_event(f"evt_A{number}", "updated", subscription(**SCHEDULED), {"cancel_at": None})
    withdrawn = stripe_event(f"evt_B{number}", "updated", subscription(), SCHEDULED)
    for accounts in [
        *in_every_order(scheduled, withdrawn), *in_every_order(before, scheduled, withdrawn),
    ]:  # fmt: skip
        assert known(accounts)["billing.cancellation"] == "No cancellation known"


@pytest.mark.parametrize("number", range(6))
def test_withdrawn_and_scheduled_again_in_one_second(number: int) -> None:
    before = stripe_event(f"evt_{number}", "created", subscription(**SCHEDULED), at=NOW - DAY)
    withdrawn = stripe_event(f"evt_A{number}", "updated", subscription(), SCHEDULED)
    scheduled = stripe_event(f"evt_B{number}", "updated", subscription(**SCHEDULED), {"cancel_at": None})
    for accounts in in_every_order(before, withdrawn, scheduled):
        assert known(accounts)["billing.cancellation"] == "Cancellation scheduled"


@pytest.mark.parametrize("number", range(6))
def test_scheduled_at_creation_in_one_second(number: int) -> None:
    change = {"cancel_at_period_end": False}
    for accounts in in_every_order(
        stripe_event(f"evt_A{number}", "created", subscription()),
        stripe_event(f"evt_B{number}", "updated", subscription(cancel_at_period_end=True), change),
    ):
        assert known(accounts)["billing.cancellation"] == "Cancellation scheduled"


@pytest.mark.parametrize("number", range(6))
def test_nothing_comes_after_an_end_of_the_same_second(number: int) -> None:
    for accounts in in_every_order(
        stripe_event(f"evt_A{number}", "updated", subscription(items=items(5)), {"items": items(1)}),
        stripe_event(f"evt_B{number}", "deleted", subscription(items=items(5), ended_at=NOW // 1000)),
    ):
        assert known(accounts)["billing.commitment"] == "Subscription canceled"


def test_an_end_is_one_sign_and_brings_neither_renewal_nor_downgrade() -> None:
    accounts = Accounts().send(
        "stripe",
        stripe_event("evt_1", "created", subscription(), at=NOW - DAY),
        stripe_event("evt_2", "deleted", subscription(status="canceled", ended_at=NOW // 1000)),
    )
    assert accounts.measure("acme", "billing.renewal").value is None
    assert accounts.measure("acme", "billing.renewal").reason == "No renewal: the subscription has ended"
    assert known(accounts)["billing.signals"] == "In 90 days: subscription ended"
    assert known(accounts)["revenue.mrr"] == "0 USD a month"


def invoice(**change: Any) -> dict[str, Any]:
    metadata = {"account_id": "acme"}
    return {
        "id": "in_1",
        "currency": "usd",
        "amount_due": 500,
        "status": "open",
        "metadata": metadata,
    } | change


def test_two_events_of_one_failed_payment_are_one() -> None:
    failed = [
        stripe_event(f"evt_{number}", "invoice.payment_failed", invoice(attempt_count=1)) for number in "12"
    ]
    accounts = Accounts().send("stripe", *failed)
    assert accounts.measure("acme", "billing.payment").value == 1
    accounts.send("stripe", stripe_event("evt_3", "invoice.payment_failed", invoice(attempt_count=2)))
    assert accounts.measure("acme", "billing.payment").value == 2


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("invoice.marked_uncollectible", "uncollectible"),
        ("invoice.voided", "void"),
        ("invoice.updated", "uncollectible"),
        ("invoice.updated", "void"),
        ("invoice.updated", "paid"),
        ("invoice.overpaid", "paid"),
        ("invoice.payment_action_required", "void"),
    ],
)
def test_an_invoice_that_is_settled_fails_no_more(kind: str, status: str) -> None:
    for accounts in in_every_order(
        stripe_event("evt_1", "invoice.payment_failed", invoice(attempt_count=4, due_date=NOW // 1000)),
        stripe_event("evt_2", kind, invoice(status=status, attempt_count=4), at=NOW + 1000),
    ):
        later = NOW + 40 * DAY
        assert accounts.measure("acme", "billing.payment").reason == "No failed payments"
        assert accounts.measure("acme", "billing.overdue", later).value == 0
        assert accounts.measure("acme", "billing.owed", later).value == 0


@pytest.mark.parametrize("kind", ["invoice.updated", "invoice.created", "invoice.finalization_failed"])
def test_a_draft_is_no_invoice_yet(kind: str) -> None:
    assert not Accounts().send("stripe", stripe_event("evt_1", kind, invoice(status="draft"))).states


@pytest.mark.parametrize(
    "kind", ["will_be_due", "payment_action_required", "payment_attempt_required", "created", "sent"]
)
def test_every_event_of_an_open_invoice_says_that_it_is_owed(kind: str) -> None:
    due = invoice(due_date=NOW // 1000 - 3 * 86_400)
    accounts = Accounts().send("stripe", stripe_event("evt_1", f"invoice.{kind}", due))
    assert accounts.measure("acme", "billing.overdue").value == 3


def dispute(id_: str, **change: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "currency": "usd",
        "amount": 5,
        "metadata": {"account_id": "acme"},
        "charge": "ch",
    } | change


def test_each_dispute_is_one() -> None:
    accounts = Accounts().send(
        "stripe",
        stripe_event("evt_1", "charge.dispute.created", dispute("dp_1", status="needs_response")),
        stripe_event("evt_2", "charge.dispute.created", dispute("dp_2", status="needs_response")),
        stripe_event("evt_3", "charge.dispute.closed", dispute("dp_1", status="won"), at=NOW + 1000),
    )
    assert accounts.measure("acme", "billing.disputes").value == 1
    accounts.send("stripe", stripe_event("evt_4", "charge.dispute.updated", dispute("dp_2", status="lost")))
    assert accounts.measure("acme", "billing.disputes").value == 0


@pytest.mark.parametrize(
    ("kind", "status", "open_"),
    [
        ("funds_withdrawn", "needs_response", 1),
        ("funds_withdrawn", "lost", 0),
        ("funds_reinstated", "won", 0),
        ("funds_reinstated", "under_review", 1),
    ],
)
def test_a_disputes_money_says_where_the_dispute_stands(kind: str, status: str, open_: int) -> None:
    event = stripe_event("evt_1", f"charge.dispute.{kind}", dispute("dp_1", status=status))
    assert Accounts().send("stripe", event).measure("acme", "billing.disputes").value == open_


def test_a_customer_belongs_to_the_account_that_its_metadata_name() -> None:
    customer = {"id": "cus_1", "object": "customer", "metadata": {"account_id": "acme"}}
    accounts = Accounts().send("stripe", stripe_event("evt_1", "customer.updated", customer))
    assert accounts.states["cus_1"].link.into == "acme"


@pytest.mark.parametrize("metadata", [None, {}, {"account_id": ""}, {"account_id": "cus_1"}])
def test_a_customer_without_an_account_is_taken(metadata: Any) -> None:
    event = stripe_event("evt_1", "customer.created", {"id": "cus_1", "metadata": metadata})
    assert not Accounts().send("stripe", event).states


DOCUMENTED: dict[str, Any] = {
    "application": None, "application_fee_percent": None, "automatic_tax": {"enabled": False},
    "billing_cycle_anchor": ENDS, "billing_mode": {"type": "flexible"}, "billing_thresholds": None,
    "canceled_at": None, "cancellation_details": {"comment": None, "feedback": None, "reason": None},
    "collection_method": "charge_automatically", "created": NOW // 1000, "days_until_due": None,
    "default_payment_method": None, "default_source": None, "default_tax_rates": [], "description": None,
    "discounts": [], "ended_at": None, "invoice_settings": {"issuer": {"type": "self"}},
    "latest_invoice": "in_1", "livemode": True, "next_pending_invoice_item_invoice": None,
    "on_behalf_of": None, "pause_collection": None, "payment_settings": {"payment_method_types": None},
    "pending_invoice_item_interval": None, "pending_setup_intent": None, "pending_update": None,
    "schedule": None, "start_date": NOW // 1000, "test_clock": None, "transfer_data": None,
    "trial_end": None, "trial_settings": {"end_behavior": {"missing_payment_method": "cancel"}},
    "trial_start": None,
}  # fmt: skip
"""The other fields of a subscription as Stripe documents it, with a value each."""

DOCUMENTED_PRICE: dict[str, Any] = {
    "object": "price", "active": True, "billing_scheme": "per_unit", "created": NOW // 1000,
    "custom_unit_amount": None, "livemode": True, "lookup_key": None, "metadata": {}, "nickname": None,
    "product": "prod_1", "tax_behavior": "unspecified", "tiers_mode": None, "transform_quantity": None,
    "type": "recurring", "unit_amount_decimal": "10000",
    "recurring": {
        "aggregate_usage": None, "interval": "month", "interval_count": 1, "meter": None,
        "trial_period_days": None, "usage_type": "licensed",
    },
}  # fmt: skip
"""The other fields of a price as Stripe documents it, with a value each."""


def test_a_subscription_with_every_documented_field() -> None:
    whole = subscription(items=items(2, **DOCUMENTED_PRICE), **DOCUMENTED)
    accounts = Accounts().send("stripe", stripe_event("evt_1", "updated", whole, {"latest_invoice": "in_0"}))
    assert known(accounts)["billing.commitment"] == "Subscription running"
    assert accounts.measure("acme", "revenue.mrr").value == 20_000
    assert accounts.measure("acme", "billing.renewal").value == 20
