"""Zendesk's ticket events as signed webhooks through the whole gateway."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from gateway.sources.signatures import SignedRequest
from gateway.sources.zendesk import SIGNATURE, SOURCE
from tests.support.gateway_client import NOW, STAMP, GatewayClient, encoded, left_of


@pytest.fixture
def gateway() -> GatewayClient:
    return GatewayClient()


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
def test_ticket_events(gateway: GatewayClient, name: str, change: dict[str, Any], kind: str) -> None:
    assert gateway.webhook(SOURCE, ticket(name, change)).status == 200
    (step,) = gateway.sent("support.events")
    assert (step.kind, step.ticket_id, step.account_id, step.source) == (kind, "5158", "8447", "zendesk")
    assert (step.event_id, step.severity, step.subject) == ("d4f5c389", "high", None)
    assert step.occurred_at == NOW - 400_000 + 123


def test_a_ticket_closed_by_a_merge_is_merged(gateway: GatewayClient) -> None:
    closing = {"previous": "OPEN", "current": "CLOSED"}
    gateway.webhook(SOURCE, ticket("status_changed", closing, tags=["vip", "closed_by_merge"]))
    (step,) = gateway.sent("support.events")
    assert (step.kind, step.ticket_id, step.merged_into) == ("merged", "5158", None)


@pytest.mark.parametrize(("score", "csat"), [("GOOD", 5), ("bad", 1), (4, 4), ("3", 3)])
def test_ratings(gateway: GatewayClient, score: Any, csat: int) -> None:
    gateway.webhook(SOURCE, ticket("csat_received", {"satisfaction_score": {"score": score}}))

    assert gateway.sent("support.events")[0].csat == csat


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("status_changed", {"previous": "SOLVED", "current": "FUTURE"}),
        ("comment_added", comment(staff=True, public=False)),
        ("csat_received", {"satisfaction_score": {"score": "OFFERED"}}),
        ("tags_changed", {"tags_added": ["x"]}),
        ("custom_field_changed", {"current": [1], "previous": {}}),
    ],
)
def test_ticket_events_that_say_nothing_are_taken(
    gateway: GatewayClient, name: str, change: dict[str, Any]
) -> None:
    assert gateway.webhook(SOURCE, ticket(name, change)).status == 200
    assert not gateway.made


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
def test_what_zendesk_says_but_we_cannot_use_is_kept_as_dead_letter(
    gateway: GatewayClient, bad: dict[str, Any], reason: str, pointer: str
) -> None:
    assert gateway.webhook(SOURCE, bad).status == 200
    (dead_letter,) = gateway.sent("events.deadletter")
    assert (dead_letter.reason, dead_letter.pointer, dead_letter.topic) == (reason, pointer, "support.events")
    assert json.loads(dead_letter.value) == left_of(SOURCE, bad)


def test_a_trigger_payload_is_400(gateway: GatewayClient) -> None:
    assert gateway.webhook(SOURCE, {"ticket": 5}).json["pointer"] == "/id"


@pytest.mark.parametrize("stamp", ["lately", "", "1780000000000"])
def test_a_time_in_another_form_is_401(gateway: GatewayClient, stamp: str) -> None:
    body = encoded(ticket("tags_changed"))
    answer = gateway.post(
        "/webhooks/zendesk/acme", body, SIGNATURE.headers("zendesk-new", stamp, SignedRequest("", body))
    )

    assert answer.status == 401


def test_the_signature_is_an_hmac_of_time_and_body(gateway: GatewayClient) -> None:
    body = encoded(ticket("created"))
    digest = hmac.new(b"zendesk-new", STAMP.encode() + body, hashlib.sha256).digest()
    headers = {
        "X-Zendesk-Webhook-Signature": base64.b64encode(digest).decode(),
        "X-Zendesk-Webhook-Signature-Timestamp": STAMP,
    }

    assert gateway.post("/webhooks/zendesk/acme", body, headers).status == 200
    assert len(gateway.sent("support.events")) == 1
