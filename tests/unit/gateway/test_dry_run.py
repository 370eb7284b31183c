"""What a dry run answers, and what those who watch are told of: whatever becomes of an event."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.metrics import IGNORED
from gateway.sources.registry import WEBHOOKS
from gateway.sources.samples import load_samples
from gateway.sources.signatures import SignedRequest
from gateway.sources.source import WebhookSource
from tests.support.gateway_client import KEY, NOW, SERVER_KEY, STAMP, GatewayClient, new_secret, signature

GOOD = {"type": "track", "messageId": "m", "userId": "u", "event": "e", "context": {"groupId": "acme-inc"}}
BAD = GOOD | {"timestamp": "yesterday"}
NOBODY = {"type": "alias", "messageId": "a", "userId": "u", "previousId": "v"}
STRIPE, ZENDESK = (source for source in WEBHOOKS if source.name in ("stripe", "zendesk"))


def became(answer: Any) -> list[str]:
    return [result["status"] for result in answer.json["results"]]


def test_a_batch_is_judged_call_by_call() -> None:
    gateway = GatewayClient()
    answer = gateway.post("/v1/batch?dry_run=true", {"batch": [GOOD, BAD, NOBODY]})

    assert (answer.status, became(answer)) == (207, ["accepted", "rejected", "ignored"])
    assert answer.json["results"][1]["pointer"] == "/1/timestamp"
    assert answer.json["dry_run"] is True
    assert gateway.outbox.records == []


@pytest.mark.parametrize("path", ["/v1/track", "/e"])
def test_one_event_is_judged(path: str) -> None:
    gateway = GatewayClient()
    event = GOOD | {
        "distinct_id": "u",
        "api_key": "key-1",
        "properties": {"$groups": {"company": "acme-inc"}},
    }
    answer = gateway.post(f"{path}?dry_run=1", event)

    assert (answer.status, became(answer)) == (200, ["accepted"])
    assert gateway.outbox.records == []


@pytest.mark.parametrize("source", WEBHOOKS, ids=lambda source: source.name)
def test_a_webhook_is_judged_once_it_is_verified(source: WebhookSource) -> None:
    gateway = GatewayClient()
    sample = load_samples(source.name).samples[0]
    headers = {**sample.headers, "content-type": sample.media_type}
    path = f"{source.path}/acme?dry_run=true"

    forged = gateway.post(path, sample.body, headers)
    assert forged.status == 401
    signed = gateway.webhook(source, sample.body, headers=headers)
    assert signed.status == 200
    gateway.outbox.records.clear()
    address = SignedRequest(f"http://127.0.0.1{path}", sample.body)  # some vendors sign the query, too
    proof = source.signature_scheme().sign(new_secret(source), address, NOW)
    answer = gateway.post(path, sample.body, headers | proof)
    assert answer.status == 200
    assert answer.json["accepted"] == len(sample.becomes) > 0 or sample.becomes == ()
    assert gateway.outbox.records == []


def test_a_dry_run_counts_nothing() -> None:
    gateway, counted = GatewayClient(), IGNORED.labels("segment")._value
    before = counted.get()

    gateway.post("/v1/batch?dry_run=true", {"batch": [NOBODY]})
    assert counted.get() == before
    gateway.post("/v1/batch", {"batch": [NOBODY]})
    assert counted.get() == before + 1


def test_whoever_watches_is_told_of_every_end() -> None:
    gateway = GatewayClient()
    told = gateway.told("acme", "/v1/batch", {"batch": [GOOD, BAD, NOBODY]})

    assert [each["became"] for each in told] == ["accepted", "dead letter", "ignored"]
    assert told[2]["what"] == "alias"
    assert gateway.told("other", "/v1/batch", {"batch": [GOOD]}) == []


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/v1/track", BAD, KEY, 400),
        ("/v1/batch", {"batch": 1}, KEY, 400),
        ("/v1/events/billing.events", {}, KEY, 403),
        ("/v1/events/billing.events", {"event_id": "x"}, SERVER_KEY, 400),
        ("/v1/events/none", {}, SERVER_KEY, 404),
        ("/webhooks/stripe/acme", b"{}", {"stripe-signature": "t=1,v1=00"}, 401),
        ("/webhooks/zendesk/acme", b"[", signature(ZENDESK, "zendesk-new", b"["), 400),
    ],
)
def test_whoever_watches_is_told_of_a_refusal(
    path: str, body: Any, headers: dict[str, str], status: int
) -> None:
    gateway = GatewayClient()
    told = gateway.told("acme", path, body, headers)

    assert gateway.last is not None
    assert gateway.last.status == status
    assert [(each["became"], each["status"]) for each in told] == [("refused", status)]
    assert gateway.outbox.records == []


def test_nobody_is_told_of_a_stranger() -> None:
    assert GatewayClient().told("acme", "/v1/track", GOOD, {"authorization": "Bearer none"}) == []


def test_a_batch_of_500_with_3_bad_ones() -> None:
    """Each event has its result; 497 are applied, and 3 dead letters point at the field."""
    gateway = GatewayClient()
    bad = {7: {"score": 11}, 123: {"kind": "mood"}, 499: {"occurred_at": "yesterday"}}
    answers: list[dict[str, Any]] = [
        {
            "event_id": f"answer-{n}", "account_id": f"acct-{n % 20}", "source": "form", "occurred_at": STAMP,
            "survey_id": "s-1", "kind": "nps", "score": n % 11, "user_id": f"user-{n}",
        }
        | bad.get(n, {})
        for n in range(500)
    ]  # fmt: skip
    answer = gateway.post("/v1/events/survey.responses", answers)

    assert (answer.status, answer.json["accepted"], answer.json["rejected"]) == (207, 497, 3)
    rejected = {n: each for n, each in enumerate(answer.json["results"]) if each["status"] == "rejected"}
    pointers = {7: "/7/score", 123: "/123/kind", 499: "/499/occurred_at"}
    assert {n: each["pointer"] for n, each in rejected.items()} == pointers
    assert all(each["message"] for each in rejected.values())
    assert {event.event_id for event in gateway.sent("survey.responses")} == {
        f"answer-{n}" for n in range(500) if n not in bad
    }
    letters = gateway.sent("events.deadletter")
    assert [letter.pointer for letter in letters] == ["/score", "/kind", "/occurred_at"]

    again = gateway.post("/v1/events/survey.responses", answers)
    assert again.json["results"] == answer.json["results"]
    assert len({letter.id for letter in gateway.sent("events.deadletter")}) == 3
