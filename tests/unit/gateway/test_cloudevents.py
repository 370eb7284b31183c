"""CloudEvents through the whole gateway, made by the genuine library."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cloudevents.v1.conversion import to_dict
from cloudevents.v1.http import CloudEvent, to_binary, to_structured

from tests.support.gateway_client import KEY, NOW, SERVER_KEY, STAMP, GatewayClient

BATCH = "application/cloudevents-batch+json"


@pytest.fixture
def gateway() -> GatewayClient:
    return GatewayClient()


def event(number: int = 1, data: Any = None, **attributes: str) -> CloudEvent:
    known = {
        "id": f"c-{number}",
        "source": "billing-service",
        "type": "request",
        "subject": "acme-inc",
        "time": STAMP,
    }
    return CloudEvent(known | attributes, {"user_id": "user-7"} if data is None else data)


@pytest.mark.parametrize("mode", [to_structured, to_binary])
def test_an_event_of_each_mode_is_use(gateway: GatewayClient, mode: Any) -> None:
    headers, body = mode(event())
    answer = gateway.post("/v1/cloudevents", bytes(body), headers | SERVER_KEY)
    assert (answer.status, answer.json["results"]) == (200, [{"status": "accepted", "event_id": "c-1"}])
    (used,) = gateway.sent("usage.events")
    assert (used.account_id, used.user_id, used.name, used.source) == (
        "acme-inc",
        "user-7",
        "request",
        "billing-service",
    )
    assert used.occurred_at == NOW


def test_an_event_whose_type_is_a_topic_is_a_typed_event(gateway: GatewayClient) -> None:
    ticket = event(
        type="bellbuoy.support.events", data={"ticket_id": "t-1", "kind": "opened", "severity": "high"}
    )
    headers, body = to_structured(ticket)
    assert gateway.post("/v1/cloudevents", bytes(body), headers | SERVER_KEY).status == 200
    (step,) = gateway.sent("support.events")
    assert (step.kind, step.account_id, step.event_id) == ("opened", "acme-inc", "c-1")


def test_of_a_batch_of_500_with_3_bad_each_has_its_result(gateway: GatewayClient) -> None:
    events = [to_dict(event(number)) for number in range(500)]
    del events[7]["subject"]
    events[100]["time"] = "lately"
    events[499]["data"] = {"user_id": "u", "duration_ms": "long"}
    answer = gateway.post("/v1/cloudevents", events, {"content-type": BATCH} | SERVER_KEY)

    assert (answer.status, answer.json["accepted"], answer.json["rejected"]) == (207, 497, 3)
    rejected = {
        n: one["pointer"] for n, one in enumerate(answer.json["results"]) if one["status"] == "rejected"
    }
    assert rejected == {7: "/7/subject", 100: "/100/time", 499: "/499/data/duration_ms"}
    assert len(gateway.sent("usage.events")) == 497
    letters = gateway.sent("events.deadletter")
    assert [letter.pointer for letter in letters] == ["/subject", "/time", "/data/duration_ms"]
    assert [json.loads(letter.value)["id"] for letter in letters] == ["c-7", "c-100", "c-499"]


@pytest.mark.parametrize(
    ("attributes", "pointer"),
    [({"source": "stripe"}, "/source"), ({"time": "x"}, "/time"), ({"subject": "a\tb"}, "/subject")],
)
def test_a_bad_single_event_is_400_and_not_kept(
    gateway: GatewayClient, attributes: dict[str, str], pointer: str
) -> None:
    body = json.dumps(to_dict(event()) | attributes).encode()
    answer = gateway.post(
        "/v1/cloudevents", body, {"content-type": "application/cloudevents+json"} | SERVER_KEY
    )
    assert (answer.status, answer.json["pointer"]) == (400, pointer)
    assert not gateway.outbox.records


def test_a_write_key_is_not_enough(gateway: GatewayClient) -> None:
    headers, body = to_structured(event())
    assert gateway.post("/v1/cloudevents", bytes(body), headers | KEY).status == 403
    assert gateway.post("/v1/cloudevents", b"{}", SERVER_KEY).json["code"] == "invalid"


@pytest.mark.parametrize(
    ("header", "account"),
    [
        ('"acme inc"', "acme inc"),
        ('"a\\"b"', 'a"b'),
        ('"acme%20inc"', "acme inc"),
        ('"', '"'),
        ("acme+1", "acme+1"),
    ],
)
def test_a_header_may_be_quoted(gateway: GatewayClient, header: str, account: str) -> None:
    headers, body = to_binary(event())
    gateway.post("/v1/cloudevents", bytes(body), headers | SERVER_KEY | {"ce-subject": header})
    assert gateway.sent("usage.events")[0].account_id == account
