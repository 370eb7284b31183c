"""Webhooks in the shapes that vendors' documentation leaves open: what they are read as."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.sources.registry import WEBHOOKS
from gateway.sources.signatures import SignedRequest
from gateway.sources.standard.signature import StandardSignature
from tests.support.gateway_client import NOW, GatewayClient, encoded, new_secret

BY_NAME = {source.name: source for source in WEBHOOKS}
AT = NOW // 1000
UTC_TEXT = "2026-05-28 20:26:40 UTC"


def records(vendor: str, body: Any, headers: dict[str, str] | None = None) -> list[Any]:
    """Return the records that a signed webhook becomes."""
    gateway = GatewayClient()
    answer = gateway.webhook(BY_NAME[vendor], body, headers=headers)
    assert answer.status == 200, answer.json
    assert not gateway.sent("events.deadletter")
    topics = dict.fromkeys(record.topic.removeprefix("t-") for record in gateway.made)
    return [event for topic in topics for event in gateway.sent(topic)]


def record(vendor: str, body: Any, headers: dict[str, str] | None = None) -> Any:
    (only,) = records(vendor, body, headers)
    return only


def chargebee(event_type: str, **content: Any) -> dict[str, Any]:
    return {"id": "ev_1", "event_type": event_type, "occurred_at": AT, "content": content}


INVOICE = {"id": "6", "customer_id": "acme", "status": "payment_due", "total": 500, "currency_code": "usd"}
PLAN = {"id": "7", "customer_id": "acme", "status": "active", "mrr": 500, "currency_code": "USD"}


@pytest.mark.parametrize(
    ("event_type", "status", "kind"),
    [
        ("invoice_generated_with_backdating", "payment_due", "invoice_issued"),
        ("dunning_updated", "paid", "invoice_paid"),
        ("payment_initiated", "posted", "invoice_issued"),
        ("invoice_deleted", "payment_due", "invoice_voided"),
    ],
)
def test_chargebee_carries_an_invoice_in_many_events(event_type: str, status: str, kind: str) -> None:
    said = record("chargebee", chargebee(event_type, invoice=INVOICE | {"status": status}))
    assert (said.kind, said.currency, said.account_id) == (kind, "USD", "acme")


@pytest.mark.parametrize(
    ("change", "customer", "account"),
    [
        ({"meta_data": {"account_id": 77}}, {}, "77"),
        ({"customer_id": None}, {"id": "c-9"}, "c-9"),
        ({}, {"id": "acme", "meta_data": {"account_id": "own"}}, "own"),
    ],
)
def test_chargebee_names_the_account_in_several_places(
    change: dict[str, Any], customer: dict[str, Any], account: str
) -> None:
    event = chargebee("subscription_changed", subscription=PLAN | change, customer=customer)
    assert record("chargebee", event).account_id == account


def test_chargebee_numbers_as_text() -> None:
    changed = PLAN | {"mrr": "500", "resource_version": str(NOW - 5)}
    said = record("chargebee", chargebee("subscription_changed", subscription=changed))
    assert (said.mrr_minor, said.occurred_at) == (500, NOW - 5)


def test_lago_amounts_as_text_and_blank_times() -> None:
    plan = {"interval": "monthly", "amount_cents": "1000", "amount_currency": "eur"}
    started = {
        "lago_id": "1",
        "external_customer_id": "acme",
        "status": "active",
        "ending_at": "",
        "plan": plan,
    }
    said = record("lago", {"webhook_type": "subscription.started", "subscription": started})
    assert (said.mrr_minor, said.currency, said.cancel_at) == (1_000, "EUR", None)


def intercom(topic: str, **change: Any) -> dict[str, Any]:
    item = {"id": "c1", "state": "open", "updated_at": AT} | change
    return {"id": "notif_1", "topic": topic, "created_at": AT, "data": {"item": item}}


def contact(**ids: Any) -> dict[str, Any]:
    return {"contacts": {"contacts": [{"id": "k"} | ids]}}


def author(kind: str) -> dict[str, Any]:
    return {"source": {"author": {"type": kind, "email": "kim@acme.com"}}}


@pytest.mark.parametrize(
    ("item", "account"),
    [
        (contact(external_id=77), "~user:77"),
        ({"user": {"user_id": 77}}, "~user:77"),
        (contact(external_id=None) | author("user"), "~domain:acme.com"),
        (contact(external_id=None) | author("lead"), "~domain:acme.com"),
    ],
)
def test_intercom_people(item: dict[str, Any], account: str) -> None:
    assert record("intercom", intercom("conversation.user.replied", **item)).account_id == account


@pytest.mark.parametrize("kind", ["admin", "bot", "team"])
def test_intercom_authors_of_our_own_side_are_no_customers(kind: str) -> None:
    gateway = GatewayClient()
    said = intercom("conversation.user.replied", **contact(external_id=None), **author(kind))
    gateway.webhook(BY_NAME["intercom"], said)
    (dead_letter,) = gateway.sent("events.deadletter")
    assert dead_letter.reason == "unresolved_account"


@pytest.mark.parametrize(
    ("rating", "kind", "csat"), [(0, "updated", None), ("4", "rated", 4), (None, "updated", None)]
)
def test_intercom_ratings(rating: Any, kind: str, csat: int | None) -> None:
    item = contact(external_id="u") | {"conversation_rating": {"rating": rating}}
    said = record("intercom", intercom("conversation.rating.added", **item))
    assert (said.kind, said.csat) == (kind, csat)


@pytest.mark.parametrize(
    ("event", "change", "kind"),
    [
        ("convo.updated", {"state": "deleted"}, "deleted"),
        ("convo.updated", {"userUpdatedAt": ""}, "updated"),
        (
            "convo.created",
            {"primaryCustomer": {"_embedded": {"emails": [{"value": "k@acme.com"}]}}},
            "opened",
        ),
    ],
)
def test_helpscout(event: str, change: dict[str, Any], kind: str) -> None:
    convo = {"id": 1, "status": "active", "primaryCustomer": {"email": "k@acme.com"}} | change
    said = record("helpscout", convo, {"x-helpscout-event": event})
    assert (said.kind, said.account_id) == (kind, "~domain:acme.com")


def hubspot(**change: Any) -> list[dict[str, Any]]:
    event = {"eventId": 1, "subscriptionType": "company.propertyChange", "occurredAt": NOW, "objectId": 55}
    return [event | {"propertyName": "name", "propertyValue": "Acme"} | change]


def test_hubspot_numbers_as_text_and_values_as_numbers() -> None:
    said = record("hubspot", hubspot(eventId="1", objectId="55", occurredAt=str(NOW), propertyValue=42))
    assert (said.account_id, said.name, said.occurred_at) == ("55", "42", NOW)


@pytest.mark.parametrize(
    ("new", "links"), [(55, {"56": "55"}), (None, {"56": "55"}), (58, {"55": "58", "56": "58"})]
)
def test_a_hubspot_merge_may_make_a_new_company(new: int | None, links: dict[str, str]) -> None:
    merge = {"subscriptionType": "company.merge", "primaryObjectId": 55, "mergedObjectIds": [56]}
    said = records("hubspot", hubspot(**merge, newObjectId=new))
    assert {link.account_id: link.into for link in said} == links
    assert len({link.event_id for link in said}) == len(links)


@pytest.mark.parametrize(
    ("event", "change", "step"),
    [
        ("created", {"created_at": UTC_TEXT}, "answered"),
        ("created", {"score": 9.0}, "answered"),
        ("created", {"excluded_from_calculations": 1}, "withdrawn"),
        ("deleted", {}, "withdrawn"),
    ],
)
def test_wootric(event: str, change: dict[str, Any], step: str) -> None:
    answer = {"id": 1, "survey_id": 5, "score": 9, "email": "k@acme.com"} | change
    said = record("wootric", {"event_name": event, "response": answer})
    assert (said.step, said.score, said.occurred_at) == (step, 9, NOW)


def test_customer_io_numbers_as_text_and_ids_as_numbers() -> None:
    event = {"event_id": 5, "object_type": "email", "metric": "clicked", "timestamp": str(AT)}
    said = record("customerio", event | {"data": {"customer_id": 7}})
    assert (said.event_id, said.user_id, said.occurred_at) == ("5", "7", NOW)


def chatwoot(**change: Any) -> dict[str, Any]:
    conversation = {"id": 7, "status": "open", "meta": {"sender": {"identifier": "u"}}}
    return {"event": "message_created", "created_at": UTC_TEXT, "conversation": conversation} | change


CSAT = {"submitted_values": {"csat_survey_response": {"rating": 1}}}


@pytest.mark.parametrize(
    ("change", "kind", "csat"),
    [
        ({"message_type": "incoming"}, "replied", None),
        ({"message_type": 0, "private": None}, "replied", None),
        ({"message_type": 1}, "answered", None),
        ({"message_type": 1, "private": True}, "updated", None),
        ({"event": "message_updated", "content_type": "input_csat", "content_attributes": CSAT}, "rated", 1),
        (
            {"event": "message_updated", "content_type": "input_csat", "content_attributes": {}},
            "updated",
            None,
        ),
    ],
)
def test_chatwoot_messages(change: dict[str, Any], kind: str, csat: int | None) -> None:
    said = record("chatwoot", chatwoot(**change))
    assert (said.kind, said.csat, said.occurred_at) == (kind, csat, NOW)


def test_a_chatwoot_conversation_that_was_deleted_and_a_message_without_one() -> None:
    deleted = {
        "event": "conversation_deleted",
        "id": 7,
        "meta": {"sender": {"custom_attributes": {"account_id": 5}}},
    }
    said = record("chatwoot", deleted)
    assert (said.kind, said.account_id) == ("deleted", "5")
    assert records("chatwoot", chatwoot(conversation=None)) == []


USE = {"type": "usage.events", "data": {"account_id": "acme", "name": "Report Exported"}}


def svix(body: bytes, *, times: int = 1) -> dict[str, str]:
    signed = StandardSignature().sign(new_secret(BY_NAME["standard"]), SignedRequest("", body), NOW)
    named = {name.replace("webhook", "svix"): value for name, value in signed.items()}
    others = " ".join(f"v1a,{n}" for n in range(times))
    return named | {"svix-signature": f"{others} {named['svix-signature']}"}


def test_svix_calls_the_headers_by_its_own_name() -> None:
    gateway, body = GatewayClient(), encoded(USE)
    headers = svix(body)
    assert gateway.post("/webhooks/standard/acme", body, headers).status == 200
    (said,) = gateway.sent("usage.events")
    assert said.event_id == headers["svix-id"]


def test_an_id_that_is_not_signed_is_refused() -> None:
    """Or one signed message could be sent again and again under other ids."""
    gateway, body = GatewayClient(), encoded(USE)
    answer = gateway.post("/webhooks/standard/acme", body, svix(body) | {"webhook-id": "another"})
    assert answer.status == 401


@pytest.mark.parametrize("end", ["", "/", "/?", "?from=hubspot", "/?a=%20b"])
def test_an_address_is_signed_as_the_vendor_has_it(end: str) -> None:
    """HubSpot signs the address, and the one that was typed in there may end in a slash."""
    gateway, body, source = GatewayClient(), encoded(hubspot()), BY_NAME["hubspot"]
    signed = SignedRequest(f"http://127.0.0.1{source.path}/acme{end.removesuffix('?')}", body)
    headers = source.signature_scheme().sign(new_secret(source), signed, NOW)
    assert gateway.post(f"{source.path}/acme{end}", body, headers).status == 200
    assert gateway.post(f"{source.path}/acme/other{end}", body, headers).status == 404
