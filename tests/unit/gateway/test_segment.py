"""Segment's calls through the whole gateway: records, dead letters and answers."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from tests.support.gateway_client import KEY, NOW, SETTINGS, GatewayClient

TRACK = {
    "messageId": "m-1",
    "userId": "u-1",
    "event": "Report Exported",
    "timestamp": "2026-05-28T20:26:40Z",
    "context": {"groupId": "acme-inc"},
    "properties": {"feature": "reports", "duration_ms": 1200, "latency_ms": 80.4, "error": True},
}


@pytest.fixture
def gateway() -> GatewayClient:
    return GatewayClient()


def basic(key: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


def test_a_track_call_becomes_a_usage_event(gateway: GatewayClient) -> None:
    answer = gateway.post("/v1/track", TRACK)

    assert (answer.status, answer.content) == (200, b'{"success": true}')
    (event,) = gateway.sent("usage.events")
    assert gateway.outbox.records[0].key == b"acme:acme-inc"
    assert (event.event_id, event.tenant, event.account_id, event.source) == (
        "m-1",
        "acme",
        "acme-inc",
        "segment",
    )
    assert (event.name, event.feature, event.user_id) == ("Report Exported", "reports", "u-1")
    assert (event.duration_ms, event.latency_ms, event.error) == (1200, 80, True)
    assert (event.occurred_at, event.received_at) == (1_780_000_000_000, NOW)


@pytest.mark.parametrize("path", ["/v1/track", "/v1/t"])
@pytest.mark.parametrize("headers", [basic("key-1"), basic("key-2"), {"authorization": "Bearer key-1"}])
def test_either_key_and_either_path_is_taken(
    gateway: GatewayClient, path: str, headers: dict[str, str]
) -> None:
    assert gateway.post(path, TRACK, headers).status == 200


def test_the_key_may_stand_in_the_body(gateway: GatewayClient) -> None:
    assert gateway.post("/v1/t", TRACK | {"writeKey": "key-other"}, {}).status == 200
    assert gateway.sent("usage.events")[0].tenant == "other"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("nobody"),
        basic(""),
        {"authorization": "Basic %%%"},
        {"authorization": "Basic"},
        {"authorization": "Digest x"},
    ],
)
@pytest.mark.parametrize("key", [None, "nobody", "", 7, ["key-1"], "key-1 "])
def test_an_unknown_key_is_401(gateway: GatewayClient, headers: dict[str, str], key: Any) -> None:
    answer = gateway.post("/v1/track", TRACK | {"writeKey": key}, headers)

    assert answer.status == 401
    assert answer.json["code"] == "unauthorized"
    assert not gateway.outbox.records


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"event": None}, "/event"),
        ({"event": ""}, "/event"),
        ({"event": 7}, "/event"),
        ({"event": "x" * 257}, "/event"),
        ({"event": "a\0b"}, "/event"),
        ({"userId": None}, "/userId"),
        ({"userId": {"id": 1}}, "/userId"),
        ({"userId": 2**70}, "/userId"),
        ({"userId": True}, "/userId"),
        ({"messageId": "x" * 257}, "/messageId"),
        ({"timestamp": "yesterday"}, "/timestamp"),
        ({"timestamp": "0000-01-01T00:00:00Z"}, "/timestamp"),
        ({"timestamp": "9999999-01-01T00:00:00Z"}, "/timestamp"),
        ({"timestamp": "1969-12-31T23:59:59Z"}, "/timestamp"),
        ({"timestamp": "0001-01-01T00:00:00+23:59"}, "/timestamp"),
        ({"timestamp": 2**63}, "/timestamp"),
        ({"timestamp": 1.5}, "/timestamp"),
        ({"context": "web"}, "/context"),
        ({"context": {"groupId": ["a"]}}, "/context/groupId"),
        ({"context": {"groupId": "a\nb"}}, "/context/groupId"),
        ({"context": {"groupId": "x" * 257}}, "/context/groupId"),
        ({"properties": []}, "/properties"),
    ],
)
def test_a_bad_field_is_400_with_its_pointer(
    gateway: GatewayClient, change: dict[str, Any], pointer: str
) -> None:
    answer = gateway.post("/v1/track", TRACK | change)

    assert (answer.status, answer.json["pointer"]) == (400, pointer)
    assert not gateway.outbox.records


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"[]",
        b'"x"',
        b"null",
        b"\xff",
        b'{"a": NaN}',
        b"[" * 100_000,
        b'{"x":' * 9000,
        b"\0",
    ],
)
@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch", "/v1/group"])
def test_what_is_no_json_object_is_400(gateway: GatewayClient, body: bytes, path: str) -> None:
    answer = gateway.post(path, body)

    assert answer.status == 400
    assert answer.json["code"] == "invalid"


@pytest.mark.parametrize(
    "properties",
    [
        {"duration_ms": "1200"},
        {"duration_ms": -1},
        {"duration_ms": 1e300},
        {"latency_ms": 2**80},
        {"error": "Timeout"},
        {"feature": {"a": 1}},
        {"feature": "x" * 300},
        {"category": 7},
    ],
)
def test_a_free_property_that_cannot_be_used_is_left_out(
    gateway: GatewayClient, properties: dict[str, Any]
) -> None:
    assert gateway.post("/v1/track", TRACK | {"properties": properties}).status == 200
    (event,) = gateway.sent("usage.events")
    assert (event.feature, event.duration_ms, event.latency_ms, event.error) == (None, None, None, False)


def test_an_emoji_cut_in_half_is_mended(gateway: GatewayClient) -> None:
    body = json.dumps(TRACK | {"event": "cut \ud83d", "userId": 'quoted \\ud83d "'}).encode()

    assert gateway.post("/v1/track", body).status == 200
    assert gateway.sent("usage.events")[0].name == "cut \ufffd"
    assert gateway.sent("usage.events")[0].user_id == 'quoted \\ud83d "'


def test_a_whole_emoji_is_kept(gateway: GatewayClient) -> None:
    assert gateway.post("/v1/track", json.dumps(TRACK | {"event": "whole \U0001f600"}).encode()).status == 200
    assert gateway.sent("usage.events")[0].name == "whole \U0001f600"


@pytest.mark.parametrize(
    ("where", "account"),
    [
        ({"context": {"groupId": "a"}, "groupId": "b", "properties": {"groupId": "c"}}, "a"),
        ({"context": None, "groupId": "b", "properties": {"groupId": "c"}}, "b"),
        ({"context": {"groupId": ""}, "groupId": None, "properties": {"groupId": 7}}, "7"),
    ],
)
def test_the_account_is_found_where_it_is_named(
    gateway: GatewayClient, where: dict[str, Any], account: str
) -> None:
    gateway.post("/v1/track", TRACK | where)

    assert gateway.sent("usage.events")[0].account_id == account


@pytest.mark.parametrize(("user", "alias"), [("u-1", "~user:u-1"), (7, "~user:7"), ("ü ~", "~user:ü ~")])
@pytest.mark.parametrize("call", ["track", "page", "screen"])
def test_an_event_of_a_user_alone_waits_under_the_users_alias(
    gateway: GatewayClient, call: str, user: Any, alias: str
) -> None:
    gateway.post(f"/v1/{call}", TRACK | {"context": {}, "userId": user})
    gateway.post("/v1/batch", {"batch": [TRACK | {"type": call, "context": {}, "userId": user}]})

    assert [event.account_id for event in gateway.sent("usage.events")] == [alias, alias]
    assert gateway.outbox.records[0].key == f"acme:{alias}".encode()
    assert not gateway.sent("events.deadletter")


@pytest.mark.parametrize("user", ["u" * 255, "a\tb", "", None])
def test_a_user_whose_id_can_be_no_alias_stays_unresolved(gateway: GatewayClient, user: Any) -> None:
    gateway.post("/v1/track", TRACK | {"context": {}, "userId": user, "anonymousId": "x"})

    assert [dead_letter.reason for dead_letter in gateway.sent("events.deadletter")] == ["unresolved_account"]


def test_an_alias_may_be_named_as_the_account_in_its_known_forms_only(gateway: GatewayClient) -> None:
    gateway.post("/v1/track", TRACK | {"context": {"groupId": "~domain:acme.example"}})
    assert gateway.sent("usage.events")[0].account_id == "~domain:acme.example"
    for group in ("~", "~user:", "~acme", "~domain:gmail.com", "~domain:Acme.example", "~domain:acme"):
        answer = gateway.post("/v1/track", TRACK | {"context": {"groupId": group}})
        assert (answer.status, answer.json["pointer"]) == (400, "/context/groupId")
        assert "~user:" in answer.json["message"]


def test_an_event_without_account_and_user_is_kept_as_dead_letter(gateway: GatewayClient) -> None:
    nobody = {key: value for key, value in TRACK.items() if key != "userId"}
    body = json.dumps(nobody | {"context": {}, "anonymousId": "a"}).encode()

    assert gateway.post("/v1/track", body).status == 200
    (dead_letter,) = gateway.sent("events.deadletter")
    assert (dead_letter.reason, dead_letter.pointer, dead_letter.topic) == (
        "unresolved_account",
        "/context/groupId",
        "usage.events",
    )
    assert (dead_letter.value, dead_letter.tenant, dead_letter.partition, dead_letter.offset) == (
        body,
        "acme",
        -1,
        -1,
    )


def test_a_retry_without_message_id_has_the_same_id(gateway: GatewayClient) -> None:
    call = {k: v for k, v in TRACK.items() if k != "messageId"}
    gateway.post("/v1/track", call | {"sentAt": "2026-05-28T20:26:40Z", "writeKey": "key-1"})
    gateway.post("/v1/track", dict(reversed(call.items())) | {"sentAt": "2026-05-28T20:26:50Z"})
    gateway.post("/v1/track", call | {"properties": {"n": 1}})

    first, retry, another = [event.event_id for event in gateway.sent("usage.events")]
    assert first == retry != another


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("2026-05-28T20:26:43Z", NOW - 10_000),  # 3 s: the network
        ("2026-05-28T20:56:40Z", NOW - 10_000 - 1_800_000),  # half an hour fast: skewed, put right
        ("2026-05-20T20:26:40Z", NOW - 10_000),  # days off: deliberate
        ("whenever", NOW - 10_000),
        (None, NOW - 10_000),
    ],
)
def test_a_skewed_clock_is_put_right(gateway: GatewayClient, sent: str | None, expected: int) -> None:
    gateway.post("/v1/track", TRACK | {"timestamp": NOW - 10_000, "sentAt": sent})

    assert gateway.sent("usage.events")[0].occurred_at == expected


@pytest.mark.parametrize(
    "timestamp",
    [
        "2026-05-28T20:26:40Z",
        "2026-05-28T22:26:40+02:00",
        "2026-05-28T20:26:40.000000000Z",
        "2026-05-28T20:26:40",
        NOW,
    ],
)
def test_times_are_read_in_every_usual_form(gateway: GatewayClient, timestamp: str | int) -> None:
    gateway.post("/v1/track", TRACK | {"timestamp": timestamp})

    assert gateway.sent("usage.events")[0].occurred_at == NOW


def test_page_and_screen_are_usage_of_the_named_page(gateway: GatewayClient) -> None:
    gateway.post("/v1/page", {"anonymousId": "a-1", "name": "Pricing", "context": {"groupId": "g"}})
    gateway.post("/v1/s", {"userId": 7, "properties": {"category": "home"}, "context": {"groupId": "g"}})

    page, screen = gateway.sent("usage.events")
    assert (page.name, page.feature, page.user_id, page.occurred_at) == ("page", "Pricing", "a-1", NOW)
    assert (screen.name, screen.feature, screen.user_id) == ("screen", "home", "7")


def test_group_becomes_a_profile(gateway: GatewayClient) -> None:
    traits = {
        "name": "Acme",
        "segment": "SMB",
        "stage": "renewal",
        "owner": "kim",
        "arr": 1200.5,
        "seats": 12,
        "website": "https://www.acme.example/x",
        "industry": "mining",
        "parent_id": "holding",
    }
    gateway.post("/v1/group", {"userId": "u", "groupId": "acme-inc", "traits": traits})

    (profile,) = gateway.sent("account.profiles")
    assert profile.account_id == "acme-inc"
    assert (profile.name, profile.segment, profile.stage, profile.owner) == ("Acme", "SMB", "renewal", "kim")
    assert (profile.arr_minor, profile.currency, profile.seats) == (120_050, "USD", 12)
    assert (profile.domain, profile.parent_id) == ("acme.example", "holding")


def test_group_links_the_user_and_the_domain_to_the_account(gateway: GatewayClient) -> None:
    call = {"userId": "u", "groupId": "acme-inc", "messageId": "m", "traits": {"domain": "Acme.Example."}}
    for _ in range(2):
        gateway.post("/v1/group", call)
    gateway.post("/v1/batch", {"batch": [call | {"type": "group", "messageId": "m-2"}]})

    links = gateway.sent("account.links")
    assert [(link.account_id, link.into) for link in links] == 3 * [
        ("~domain:acme.example", "acme-inc"),
        ("~user:u", "acme-inc"),
    ]
    ids = [(link.source, link.event_id) for link in links]
    assert ids[:2] == ids[2:4]  # a retry makes no further links
    assert len(set(ids)) == 4
    assert (links[0].tenant, links[0].occurred_at, links[0].received_at) == ("acme", NOW, NOW)
    assert gateway.outbox.records[1].key == b"acme:~domain:acme.example"


@pytest.mark.parametrize(
    "call",
    [
        {"anonymousId": "a", "groupId": "g"},
        {"anonymousId": "a", "groupId": "g", "traits": {"domain": "gmail.com"}},
        {"anonymousId": "a", "groupId": "g", "traits": {"website": "https://www.GMX.de/x"}},
        {"anonymousId": "a", "groupId": "g", "traits": {"domain": "not a domain"}},
        {"userId": "a", "groupId": "~domain:acme.example", "traits": {"domain": "acme.example"}},
    ],
)
def test_nothing_is_linked_for_anonymous_users_free_mail_and_aliases(
    gateway: GatewayClient, call: dict[str, Any]
) -> None:
    gateway.post("/v1/group", call)

    assert len(gateway.sent("account.profiles")) == 1
    assert not gateway.sent("account.links")


@pytest.mark.parametrize(
    ("traits", "money"),
    [
        ({"arr": 5000, "currency": "jpy"}, (5000, "JPY")),
        ({"arr": 1.5, "currency": "KWD"}, (1500, "KWD")),
        ({"arr_minor": 99, "arr": 5}, (99, None)),
        ({"arr": "5"}, (None, None)),
        ({"arr": 1e18}, (None, "USD")),
        ({"arr": 5, "currency": "dollars"}, (500, "USD")),
    ],
)
def test_money_is_in_minor_units_of_its_currency(
    gateway: GatewayClient, traits: dict[str, Any], money: tuple[int | None, str | None]
) -> None:
    gateway.post("/v1/group", {"userId": "u", "groupId": "g", "traits": traits})

    (profile,) = gateway.sent("account.profiles")
    assert (profile.arr_minor, profile.currency) == money


@pytest.mark.parametrize("call", [{"type": "identify"}, {"type": "alias", "previousId": "p"}])
def test_identify_and_alias_are_taken_and_say_nothing(gateway: GatewayClient, call: dict[str, Any]) -> None:
    assert gateway.post(f"/v1/{call['type']}", call | {"userId": "u"}).status == 200
    assert gateway.post("/v1/batch", {"batch": [call | {"userId": "u"}]}).status == 200
    assert not gateway.outbox.records


def test_one_bad_event_never_loses_the_others(gateway: GatewayClient) -> None:
    good = [TRACK | {"type": "track", "messageId": f"m-{n}"} for n in range(5)]
    bad = [
        TRACK | {"type": "track", "event": None},
        TRACK | {"type": "teleport"},
        7,
        TRACK | {"type": "group", "groupId": "g\0"},
        TRACK | {"type": "track", "properties": {"x": "y" * 40_000}},
    ]
    answer = gateway.post("/v1/batch", {"batch": [*good[:2], *bad, *good[2:]], "context": {"groupId": "g"}})

    assert (answer.status, answer.content) == (200, b'{"success": true}')
    assert [event.event_id for event in gateway.sent("usage.events")] == [f"m-{n}" for n in range(5)]
    dead_letters = gateway.sent("events.deadletter")
    assert [dead_letter.pointer for dead_letter in dead_letters] == ["/event", "/type", "", "/groupId", ""]
    assert {dead_letter.reason for dead_letter in dead_letters} == {"invalid"}
    assert [dead_letter.topic for dead_letter in dead_letters][3] == "account.profiles"
    assert [json.loads(dead_letter.value) for dead_letter in dead_letters] == bad
    assert len({dead_letter.id for dead_letter in dead_letters}) == 5


def test_a_batch_lends_its_context_to_its_events(gateway: GatewayClient) -> None:
    call = {"type": "track", "userId": "u", "event": "e"}
    gateway.post(
        "/v1/b", {"batch": [call, call | {"context": {"groupId": "own"}}], "context": {"groupId": "shared"}}
    )

    assert [event.account_id for event in gateway.sent("usage.events")] == ["shared", "own"]


def test_gzip_is_read_and_bounded_after_decompression(gateway: GatewayClient) -> None:
    headers = KEY | {"content-encoding": "gzip"}

    assert gateway.post("/v1/track", gzip.compress(json.dumps(TRACK).encode()), headers).status == 200
    assert (
        gateway.post("/v1/track", gzip.compress(b"{") + gzip.compress(b"}"), headers).json["pointer"]
        == "/userId"
    )
    assert gateway.post("/v1/track", gzip.compress(b" " * 50_000_000), headers).status == 413
    assert gateway.post("/v1/track", b"not gzip", headers).json["code"] == "invalid_gzip"
    assert gateway.post("/v1/track", gzip.compress(b"{}")[:-4], headers).json["code"] == "invalid_gzip"
    assert gateway.post("/v1/track", b"", headers).json["code"] == "invalid_gzip"
    assert gateway.post("/v1/track", b"{}", KEY | {"content-encoding": "br"}).status == 415


def test_what_is_too_large_is_413(gateway: GatewayClient) -> None:
    event = TRACK | {"properties": {"x": "y" * 40_000}}

    assert gateway.post("/v1/track", event).status == 413
    assert gateway.post("/v1/batch", {"batch": [TRACK] * 2_501}).status == 413
    assert gateway.post("/v1/batch", b" " * (SETTINGS.max_body_bytes + 1)).status == 413
    assert gateway.post("/v1/batch", b"{}", KEY | {"content-length": "9" * 30}).status == 413
    assert not gateway.outbox.records


def test_a_full_or_absent_log_is_503_with_retry_after(gateway: GatewayClient) -> None:
    gateway.outbox.full = True
    full = gateway.post("/v1/track", TRACK)
    gateway.outbox.full, gateway.outbox.down = False, True
    down = gateway.post("/v1/batch", {"batch": [TRACK | {"type": "track"}]})

    assert (full.status, full.headers["retry-after"], full.json["code"]) == (503, "1", "busy")
    assert (down.status, down.headers["retry-after"], down.json["code"]) == (503, "2", "unavailable")


def test_browsers_may_call(gateway: GatewayClient) -> None:
    asked = {"origin": "https://app.example", "access-control-request-method": "POST"}
    preflight = gateway.request(
        "OPTIONS", "/v1/t", headers=asked | {"access-control-request-headers": "content-type"}
    )
    answer = gateway.post("/v1/t", TRACK, KEY | {"origin": "https://app.example"})

    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-origin"] == "*"


def test_every_answer_is_json_and_counted(gateway: GatewayClient) -> None:
    assert gateway.request("GET", "/v1/track").status == 405
    assert gateway.request("GET", "/nowhere/acme").json["code"] == "not_found"
    assert gateway.post("/v1/teleport").json["code"] == "not_found"
    assert gateway.request("GET", "/livez").json == {"live": True}
    assert gateway.request("GET", "/readyz").json == {"ready": True, "role": "gateway", "failing": {}}
    gateway.outbox.down = True
    unready = gateway.request("GET", "/readyz")
    assert (unready.status, unready.json["failing"]) == (503, {"kafka": "the log is down"})
    metrics = gateway.request("GET", "/metrics").content.decode()
    assert 'bellbuoy_ingest_requests_total{code="405",route="/v1/track"}' in metrics
    assert 'route="other"' in metrics
    assert "nowhere" not in metrics


def test_metrics_with_a_port_of_their_own_are_not_among_the_routes() -> None:
    apart = GatewayClient(SETTINGS.model_copy(update={"metrics_port": 9100}))
    assert apart.request("GET", "/metrics").status == 404
    assert apart.request("GET", "/livez").status == 200
