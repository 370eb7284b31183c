"""PostHog's capture API through the whole gateway."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any
from urllib.parse import quote

import pytest

from gateway.http.sender import Sender
from gateway.sources.posthog import SOURCE
from tests.support.gateway_client import NOW, STAMP, GatewayClient, left_of

EVENT = {
    "event": "Report Exported",
    "distinct_id": "user-7",
    "uuid": "0190-1",
    "timestamp": STAMP,
    "properties": {"$groups": {"company": "acme-inc"}, "feature": "reports", "$lib": "posthog-python"},
}
GROUP = {
    "event": "$groupidentify",
    "distinct_id": "$company_acme-inc",
    "uuid": "0190-2",
    "timestamp": STAMP,
    "properties": {
        "$group_type": "company",
        "$group_key": "acme-inc",
        "$group_set": {"name": "Acme", "domain": "acme.example", "seats": 12},
    },
}


@pytest.fixture
def gateway() -> GatewayClient:
    return GatewayClient()


def batch(*events: dict[str, Any], key: str = "key-1") -> dict[str, Any]:
    return {"api_key": key, "batch": list(events), "historical_migration": False, "sentAt": STAMP}


def test_a_batch_becomes_usage_and_a_profile(gateway: GatewayClient) -> None:
    answer = gateway.post("/batch/", batch(EVENT, GROUP), {})
    assert (answer.status, answer.json) == (200, {"status": 1})
    (used,) = gateway.sent("usage.events")
    assert (used.account_id, used.user_id, used.name, used.feature) == (
        "acme-inc",
        "user-7",
        "Report Exported",
        "reports",
    )
    assert (used.event_id, used.source, used.occurred_at) == ("0190-1", "posthog", NOW)
    (profile,) = gateway.sent("account.profiles")
    assert (profile.account_id, profile.name, profile.seats) == ("acme-inc", "Acme", 12)
    assert [(link.account_id, link.into) for link in gateway.sent("account.links")] == [
        ("~domain:acme.example", "acme-inc")
    ]


def test_a_single_event_and_what_a_browser_makes_of_it(gateway: GatewayClient) -> None:
    single = json.dumps(EVENT | {"api_key": "key-1"}).encode()
    form = b"data=" + base64.b64encode(single).replace(b"+", b"%2B").replace(b"=", b"%3D")
    for path, body in [("/i/v0/e/", single), ("/capture/", gzip.compress(single)), ("/e/?ip=1", form)]:
        assert gateway.post(path, body, {}).status == 200
    assert [event.event_id for event in gateway.sent("usage.events")] == ["0190-1"] * 3


def test_the_browsers_library_names_the_key_in_the_properties_of_each_event(gateway: GatewayClient) -> None:
    """It sends one event, or a list of those that came within some seconds."""
    event = EVENT | {"properties": {"token": "key-1", "$groups": {"company": "acme-inc"}}}
    assert (
        gateway.post("/e/?compression=gzip-js", gzip.compress(json.dumps(event).encode()), {}).status == 200
    )
    assert gateway.post("/i/v0/e/", [event, event | {"uuid": "0190-3"}], {}).status == 200
    assert [used.event_id for used in gateway.sent("usage.events")] == ["0190-1", "0190-1", "0190-3"]


@pytest.mark.parametrize(
    "body", [b"[", b"[]", b"[1]", b"[" * 50_000, b'["a"]', b"[{}]", b'[{"api_key":"x"}]']
)
def test_a_list_without_a_known_key_is_refused(gateway: GatewayClient, body: bytes) -> None:
    assert gateway.post("/e/", body, {}).status in (400, 401)


@pytest.mark.parametrize("body", [b'[{"token":"key-1"}%s]', b'{"api_key":"key-1","batch":[1%s]}'])
def test_far_too_many_events_are_refused_before_any_is_kept(gateway: GatewayClient, body: bytes) -> None:
    assert gateway.post("/batch/", body % (b",1" * 200_000), {}).status == 413


@pytest.mark.parametrize("properties", [[], None])
def test_an_empty_array_stands_for_no_properties(gateway: GatewayClient, properties: Any) -> None:
    event = EVENT | {"properties": properties, "api_key": "key-1", "timestamp": float(NOW)}
    assert gateway.post("/capture/", event, {}).status == 200
    assert gateway.sent("usage.events")[0].account_id == "~user:user-7"


def test_the_key_is_needed_and_a_retry_is_the_same_event(gateway: GatewayClient) -> None:
    assert gateway.post("/batch/", batch(EVENT, key="another"), {}).status == 401
    for _ in range(2):
        gateway.post("/batch/", batch(EVENT), {})
    assert {event.event_id for event in gateway.sent("usage.events")} == {"0190-1"}


def test_events_without_a_group_wait_for_the_link_of_their_user(gateway: GatewayClient) -> None:
    gateway.post("/batch/", batch(EVENT | {"properties": {}}), {})
    assert gateway.sent("usage.events")[0].account_id == "~user:user-7"


@pytest.mark.parametrize("name", ["$identify", "$set", "$feature_flag_called"])
def test_what_says_nothing_of_use_is_counted(gateway: GatewayClient, name: str) -> None:
    assert gateway.post("/batch/", batch(EVENT | {"event": name}), {}).status == 200
    assert not gateway.outbox.records


def test_a_bad_event_becomes_a_dead_letter_that_can_be_mapped_again(gateway: GatewayClient) -> None:
    bad = EVENT | {"timestamp": "lately"}
    assert gateway.post("/batch/", batch(bad, EVENT), {}).status == 200
    (letter,) = gateway.sent("events.deadletter")
    assert (letter.producer, letter.pointer, json.loads(letter.value)) == (
        "posthog",
        "/timestamp",
        left_of(SOURCE, bad),
    )
    assert len(gateway.sent("usage.events")) == 1
    repaired = SOURCE.to_record(json.dumps(EVENT).encode(), Sender("acme", "posthog", NOW), letter.headers)
    assert repaired == gateway.sent("usage.events")[0]


def test_a_browser_may_call_it(gateway: GatewayClient) -> None:
    ask = {"origin": "https://app.example", "access-control-request-method": "POST"}
    assert gateway.request("OPTIONS", "/i/v0/e/", b"", ask).status == 200


@pytest.mark.parametrize("path", ["/flags/?v=2&config=true", "/flags?v=4", "/decide/?v=3"])
@pytest.mark.parametrize("named", ["api_key", "token"])
def test_who_asks_for_flags_is_told_of_none(gateway: GatewayClient, path: str, named: str) -> None:
    """The fields are those of PostHog's answers to every version, none of them set."""
    question = json.dumps({named: "key-1", "distinct_id": "user-7", "groups": {}}).encode()
    forms = (question, gzip.compress(question), b"data=" + base64.b64encode(question))
    answers = [gateway.post(path, body, {"origin": "https://app.example"}) for body in forms]
    assert [answer.status for answer in answers] == [200, 200, 200]
    for answer in answers:
        assert (answer.json["errorsWhileComputingFlags"], answer.json["flags"]) == (False, {})
        assert (answer.json["featureFlags"], answer.json["featureFlagPayloads"]) == ({}, {})
        assert (answer.json["evaluatedAt"], answer.json["sessionRecording"]) == (NOW, False)
        assert answer.headers["access-control-allow-origin"] == "*"
    assert len({answer.json["requestId"] for answer in answers}) == 3
    assert not gateway.outbox.records


def test_a_browser_gets_its_settings_as_json_and_as_a_script(gateway: GatewayClient) -> None:
    origin = {"origin": "https://app.example"}
    plain = gateway.request("GET", "/array/key-1/config", headers=origin)
    assert (plain.json["token"], plain.json["hasFeatureFlags"]) == ("key-1", False)
    assert "surveys" not in plain.json, "a browser would load their script, which is not here"
    script = gateway.request("GET", "/array/key-1/config.js?v=1", headers=origin)
    assert script.headers["content-type"].startswith("application/javascript")
    begin, _, rest = script.content.decode().partition('all["key-1"]={config:')
    assert "_POSTHOG_REMOTE_CONFIG" in begin
    assert json.loads(rest.removesuffix(",siteApps:[]}})();")) == plain.json
    for answer in (plain, script):
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "*")


@pytest.mark.parametrize("name", ["config", "config.js"])
@pytest.mark.parametrize(("key", "status"), [("nobody", 404), ("server-1", 403), ("a%2Fb", 404)])
def test_a_browser_gets_settings_for_a_write_key_only(
    gateway: GatewayClient, name: str, key: str, status: int
) -> None:
    answer = gateway.request("GET", f"/array/{key}/{name}", headers={"origin": "https://app.example"})
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, "*")


@pytest.mark.parametrize("path", ["/flags", "/decide"])
@pytest.mark.parametrize(
    ("body", "status"), [({"token": "another"}, 401), ({}, 401), (b"{", 400), (b"data=%ff", 400)]
)
def test_who_asks_for_flags_without_a_known_key_is_refused(
    gateway: GatewayClient, path: str, body: Any, status: int
) -> None:
    answer = gateway.post(path, body, {"origin": "https://app.example"})
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, "*")
    ask = {"origin": "https://app.example", "access-control-request-method": "POST"}
    assert gateway.request("OPTIONS", path, b"", ask).status == 200


def form(data: bytes, before: str = "") -> bytes:
    return f"{before}data={quote(data, safe='')}".encode()


PLAIN = json.dumps(EVENT | {"api_key": "key-1", "event": "what>>>?"}).encode()
BASE64 = base64.b64encode(PLAIN)


@pytest.mark.parametrize(
    "body",
    [
        form(PLAIN),
        form(BASE64),
        form(BASE64, before="compression=base64&"),
        form(BASE64.rstrip(b"=")),
        b"data=" + BASE64,  # its plus signs are not escaped
        form(base64.b64encode(gzip.compress(PLAIN))),
    ],
)
def test_forms_of_browsers(gateway: GatewayClient, body: bytes) -> None:
    assert gateway.post("/e/", body, {}).status == 200
    assert gateway.sent("usage.events")[0].name == "what>>>?"


@pytest.mark.parametrize("body", [b"data=N4Ig", b"data=%ff", b"data=", b"compression=lz64&data=!"])
def test_a_form_that_cannot_be_read_is_400(gateway: GatewayClient, body: bytes) -> None:
    assert gateway.post("/e/", body, {}).status == 400


UNDATED = {name: value for name, value in EVENT.items() if name != "timestamp"} | {"offset": 60_000}


@pytest.mark.parametrize(
    ("event", "path", "sent", "at"),
    [
        (UNDATED, "/batch/", {}, NOW - 60_000),
        (UNDATED, "/batch/", {"sent_at": NOW + 3_600_000}, NOW - 60_000),
        (UNDATED | {"offset": -1}, "/batch/", {}, NOW),
        (UNDATED | {"offset": "soon"}, "/batch/", {}, NOW),
        (EVENT | {"offset": 60_000}, "/batch/", {}, NOW),
        (EVENT, "/batch/", {"sent_at": NOW + 3_600_000}, NOW - 3_600_000),
        (EVENT, "/batch/", {"sentAt": NOW + 3_600_000}, NOW - 3_600_000),
        (EVENT, f"/e/?_={NOW + 3_600_000}", {}, NOW - 3_600_000),
        (EVENT, "/e/?_=now", {"sent_at": "now"}, NOW),
    ],
)
def test_when_an_event_was(
    gateway: GatewayClient, event: dict[str, Any], path: str, sent: dict[str, Any], at: int
) -> None:
    gateway.post(path, {"api_key": "key-1", "batch": [event]} | sent, {})
    assert gateway.sent("usage.events")[0].occurred_at == at


def test_an_exception_is_use_with_an_error_and_measurements_of_pages_are_none(gateway: GatewayClient) -> None:
    names = ("$exception", "$web_vitals", "$$heatmap", "$snapshot")
    gateway.post("/batch/", batch(*(EVENT | {"event": name} for name in names)), {})
    assert [(used.name, used.error) for used in gateway.sent("usage.events")] == [("$exception", True)]


def test_a_dead_letter_keeps_when_its_request_was_sent(gateway: GatewayClient) -> None:
    bad = EVENT | {"distinct_id": None}
    gateway.post("/batch/", {"api_key": "key-1", "batch": [bad], "sent_at": NOW + 3_600_000}, {})
    (letter,) = gateway.sent("events.deadletter")
    repaired = SOURCE.to_record(json.dumps(EVENT).encode(), Sender("acme", "posthog", NOW), letter.headers)
    assert repaired is not None
    assert repaired.occurred_at == NOW - 3_600_000
