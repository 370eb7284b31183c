"""Segment's calls through the whole gateway: records, dead letters and answers."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.http.sender import Sender
from gateway.settings import GatewaySettings
from gateway.sources.segment import SOURCE
from gateway.sources.segment.records import to_record
from tests.support.gateway_client import KEY, NOW, SERVER_KEY, SETTINGS, Answer, GatewayClient, basic, left_of

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
        ({"properties": [1]}, "/properties"),
        ({"userId": 42.5}, "/userId"),
        ({"userId": 2**64}, "/userId"),
        ({"userId": 1e300}, "/userId"),
        ({"timestamp": None, "originalTimestamp": "never"}, "/originalTimestamp"),
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
        b"[" * 30_000,
        b'{"x":' * 6000,
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
    left = left_of(SOURCE, json.loads(body))
    assert (json.loads(dead_letter.value), dead_letter.tenant, dead_letter.partition, dead_letter.offset) == (
        left,
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
        float(NOW),
    ],
)
def test_times_are_read_in_every_usual_form(gateway: GatewayClient, timestamp: str | float) -> None:
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


@pytest.mark.parametrize("kind", ["group", "identify"])
def test_traits_carry_facts_of_the_senders_own(gateway: GatewayClient, kind: str) -> None:
    own = {"versions_behind": 3, "pilot": True, "review": "2026-11-02", "gone": None}
    traits: dict[str, Any] = {"own": own | {"Bad name": 1, "list": [1], "huge": 1e300, "muted_until": NOW}}
    if kind == "identify":
        traits = {"company": traits | {"id": "acme-inc"}}
    answer = gateway.post(f"/v1/{kind}", {"userId": "u", "groupId": "acme-inc", "traits": traits})
    assert answer.status == 200
    (profile,) = gateway.sent("account.profiles")
    assert (profile.account_id, profile.own) == ("acme-inc", own)


@pytest.mark.parametrize("own", [None, 3, "text", [], {f"x{n}": n for n in range(40)}])
def test_own_traits_of_any_type_are_accepted(gateway: GatewayClient, own: Any) -> None:
    answer = gateway.post("/v1/group", {"userId": "u", "groupId": "a", "traits": {"own": own, "name": "A"}})
    assert answer.status == 200
    (profile,) = gateway.sent("account.profiles")
    assert (profile.name, len(profile.own)) == ("A", 32 if isinstance(own, dict) else 0)


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
    assert [json.loads(dead_letter.value) for dead_letter in dead_letters] == [
        left_of(SOURCE, call) for call in bad
    ]
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
    padded = gzip.compress(json.dumps(TRACK).encode()) + b"\0" * 512
    assert gateway.post("/v1/track", padded, headers).status == 200


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


BROWSER = {"origin": "https://app.example"}


@pytest.mark.parametrize("path", ["/v1/t", "/v1/batch", "/v1/import/", "/v1/projects/key-1/settings"])
@pytest.mark.parametrize(
    "header", ["content-type", "authorization,x-retry-count", "anonymousid", "x-any-thing"]
)
def test_browsers_may_call_the_tracking_routes_with_any_header(
    gateway: GatewayClient, path: str, header: str
) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": header}
    preflight = gateway.request("OPTIONS", path, headers=BROWSER | asked)

    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-allow-headers"] == header


def test_a_browser_can_read_every_answer_of_the_tracking_routes(gateway: GatewayClient) -> None:
    def answers() -> Iterator[Answer]:
        yield gateway.post("/v1/t", TRACK, KEY | BROWSER)
        yield gateway.post("/v1/t", {}, KEY | BROWSER)
        yield gateway.post("/v1/t", TRACK, BROWSER)
        yield gateway.post("/v1/teleport", TRACK, BROWSER)
        yield gateway.request("GET", "/v1/t", headers=BROWSER)
        gateway.outbox.full = True
        yield gateway.post("/v1/b", {"batch": [TRACK | {"type": "track"}]}, KEY | BROWSER)
        gateway.outbox.send = None  # type: ignore[method-assign,assignment]
        with pytest.raises(TypeError):
            gateway.post("/v1/t", TRACK, KEY | BROWSER)
        assert gateway.last is not None
        yield gateway.last

    read = list(answers())
    assert [answer.status for answer in read] == [200, 400, 401, 404, 405, 503, 500]
    assert {answer.headers.get("access-control-allow-origin") for answer in read} == {"*"}
    assert {answer.headers["access-control-expose-headers"] for answer in read} == {"Retry-After"}


@pytest.mark.parametrize("path", ["/v1/events/usage.events", "/webhooks/stripe/acme", "/metrics"])
def test_browsers_may_not_call_what_is_for_servers(gateway: GatewayClient, path: str) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    preflight = gateway.request("OPTIONS", path, headers=BROWSER | asked)
    answer = gateway.post(path, {}, SERVER_KEY | BROWSER)

    assert preflight.status == 405
    for headers in (preflight.headers, answer.headers):
        assert not [name for name in headers if name.startswith("access-control")]


def test_a_refused_preflight_is_json(gateway: GatewayClient) -> None:
    answer = gateway.request("OPTIONS", "/v1/t", headers=BROWSER | {"access-control-request-method": "PUT"})

    assert (answer.status, answer.json["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    "path", ["/v1/batch", "/v1/b", "/v1/import", "/v1/import/", "/v1/batch//", "//v1/batch", "/v1//b/"]
)
def test_a_batch_is_taken_under_each_of_its_names(gateway: GatewayClient, path: str) -> None:
    """Java's client posts to /v1/import/ with the key in the body, Ruby's to /v1/import."""
    body = {"batch": [TRACK | {"type": "track"}], "writeKey": "key-1", "sequence": 1}
    answer = gateway.post(path, body, {"host": "evil.example"})

    assert (answer.status, len(gateway.sent("usage.events"))) == (200, 1)


@pytest.mark.parametrize(
    "path", ["/v1/track/", "/livez/", "/webhooks/stripe/acme/", "/v1/events/usage.events/"]
)
def test_a_slash_at_the_end_is_never_a_redirect(gateway: GatewayClient, path: str) -> None:
    for method in ("POST", "GET"):
        answer = gateway.request(method, path, headers={"host": "evil.example"})
        assert answer.status not in (301, 302, 307, 308, 404)
        assert "location" not in answer.headers


def test_browser_and_mobile_sdks_are_told_to_send_here(gateway: GatewayClient) -> None:
    answer = gateway.request(
        "GET", "/v1/projects/key-1/settings", headers=BROWSER | {"host": "events.example:8443"}
    )
    segment = answer.json["integrations"]["Segment.io"]

    assert answer.status == 200
    assert (segment["apiKey"], segment["apiHost"], segment["protocol"]) == (
        "key-1",
        "events.example:8443/v1",
        "http",
    )
    assert list(answer.json["integrations"]) == ["Segment.io"]  # nothing else is loaded
    assert answer.json["metrics"]["sampleRate"] == 0


def test_the_public_address_stands_in_the_settings_of_sdks() -> None:
    public = GatewaySettings(**(SETTINGS.model_dump() | {"public_url": "https://events.example/"}))
    answer = GatewayClient(public).request("GET", "/v1/projects/key-1/settings", headers={"host": "10.0.0.1"})
    segment = answer.json["integrations"]["Segment.io"]

    assert (segment["apiHost"], segment["protocol"]) == ("events.example/v1", "https")


@pytest.mark.parametrize(
    ("key", "status", "code"), [("nobody", 404, "unknown_key"), ("server-1", 403, "public_server_key")]
)
def test_sdks_get_settings_for_a_write_key_only(
    gateway: GatewayClient, key: str, status: int, code: str
) -> None:
    answer = gateway.request("GET", f"/v1/projects/{key}/settings")

    assert (answer.status, answer.json["code"]) == (status, code)


def test_a_server_key_may_track(gateway: GatewayClient) -> None:
    assert gateway.post("/v1/track", TRACK, SERVER_KEY).status == 200
    assert gateway.post("/v1/track", TRACK | {"writeKey": "server-1"}, {}).status == 200


@pytest.mark.parametrize("empty", ["properties", "traits", "context"])
def test_an_empty_array_is_an_empty_object(gateway: GatewayClient, empty: str) -> None:
    call = TRACK | {"type": "track", "groupId": "g", empty: []}

    assert gateway.post("/v1/track", call).status == 200
    assert gateway.post("/v1/group", call).status == 200
    assert gateway.post("/v1/batch", {"batch": [call], "context": []}).status == 200
    assert len(gateway.sent("usage.events")) == 2
    assert not gateway.sent("events.deadletter")


@pytest.mark.parametrize(
    ("sent", "id_"),
    [(42, "42"), (42.0, "42"), (2**64 - 1, "18446744073709551615"), (-(2**63), "-9223372036854775808")],
)
def test_an_id_may_be_a_number(gateway: GatewayClient, sent: float, id_: str) -> None:
    gateway.post("/v1/track", TRACK | {"userId": sent, "context": {"groupId": sent}, "messageId": sent})
    gateway.post(
        "/v1/batch", {"batch": [TRACK | {"type": "track", "context": {}}], "context": {"groupId": sent}}
    )

    own, lent = gateway.sent("usage.events")
    assert (own.user_id, own.account_id, own.event_id, lent.account_id) == (id_, id_, id_, id_)


def test_the_original_timestamp_stands_in_for_the_timestamp(gateway: GatewayClient) -> None:
    own = {"originalTimestamp": "2026-05-28T20:00:00Z"}
    gateway.post("/v1/track", TRACK | {"timestamp": None} | own)
    gateway.post("/v1/track", TRACK | {"timestamp": ""} | own)
    gateway.post("/v1/track", TRACK | own)

    assert [event.occurred_at for event in gateway.sent("usage.events")] == [
        NOW - 1_600_000,
        NOW - 1_600_000,
        NOW,
    ]


def test_events_without_id_and_time_are_each_an_event(gateway: GatewayClient) -> None:
    call = {"type": "track", "userId": "u", "event": "Login", "context": {"groupId": "a"}}
    for _ in range(2):
        gateway.post("/v1/track", call)
    gateway.post("/v1/batch", {"batch": [call, call, call | {"messageId": "", "timestamp": ""}]})

    assert len({event.event_id for event in gateway.sent("usage.events")}) == 5


def test_dead_letters_of_events_without_id_and_time_are_each_kept(gateway: GatewayClient) -> None:
    nobody = {"type": "track", "anonymousId": "a", "event": "Login"}
    bad = nobody | {"event": 7}
    gateway.post("/v1/batch", {"batch": [nobody, nobody, bad, bad, bad | {"messageId": "m"}]})
    gateway.post("/v1/batch", {"batch": [bad | {"messageId": "m"}]})

    letters = gateway.sent("events.deadletter")
    assert len({letter.id for letter in letters}) == 5
    mended = [letter.value.replace(b'"anonymousId"', b'"userId"') for letter in letters[:2]]
    sender = Sender("acme", "segment", NOW)
    first, again, second = (
        to_record(raw, sender, letter.headers)
        for raw, letter in ((mended[0], letters[0]), (mended[0], letters[0]), (mended[1], letters[1]))
    )
    assert first is not None
    assert second is not None
    assert first == again
    assert first.event_id != second.event_id


@pytest.mark.parametrize(
    "company", [{"id": "acme-inc", "name": "Acme", "plan": "x"}, {"id": "acme-inc", "name": 7}]
)
def test_identify_with_a_company_is_a_profile_and_a_link(
    gateway: GatewayClient, company: dict[str, Any]
) -> None:
    call = {
        "type": "identify",
        "userId": "u",
        "messageId": "m",
        "traits": {"email": "u@x", "company": company},
    }
    assert gateway.post("/v1/identify", call).status == 200
    assert gateway.post("/v1/batch", {"batch": [call]}).status == 200

    profile, same = gateway.sent("account.profiles")
    assert profile == same
    assert (profile.account_id, profile.name) == ("acme-inc", "Acme" if company["name"] == "Acme" else None)
    link, *_ = gateway.sent("account.links")
    assert (link.account_id, link.into) == ("~user:u", "acme-inc")


@pytest.mark.parametrize(
    "company", ["Acme", [], {}, {"id": ""}, {"id": ["a"]}, {"id": "a\tb"}, {"name": "Acme"}]
)
def test_a_company_that_names_no_account_says_nothing(gateway: GatewayClient, company: Any) -> None:
    assert gateway.post("/v1/identify", {"userId": "u", "traits": {"company": company}}).status == 200
    assert not gateway.outbox.records


def test_half_an_emoji_beside_the_key_is_no_reason_to_refuse(gateway: GatewayClient) -> None:
    body = json.dumps(TRACK | {"event": "cut \ud83d", "writeKey": "key-1"}).encode()

    assert gateway.post("/v1/track", body, {}).status == 200


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


@pytest.mark.parametrize("path", ["/beacon/v1/batch", "/v1/batch"])
def test_a_beacon_has_its_key_in_the_address(gateway: GatewayClient, path: str) -> None:
    batch = {"batch": [{"type": "track", "userId": "u", "event": "e", "context": {"groupId": "acme"}}]}
    assert gateway.post(f"{path}?writeKey=key-1", batch, {}).status == 200
    assert gateway.sent("usage.events")[0].account_id == "acme"
    assert gateway.post(f"{path}?writeKey=nobody", batch, {}).status == 401
    assert gateway.post(path, batch, {}).status == 401


@pytest.mark.parametrize("headers", [KEY, {}])
def test_a_byte_order_mark_is_taken_off(gateway: GatewayClient, headers: dict[str, str]) -> None:
    call = {"userId": "u", "event": "e", "context": {"groupId": "acme"}, "writeKey": "key-1"}
    assert gateway.post("/v1/track", b"\xef\xbb\xbf" + json.dumps(call).encode(), headers).status == 200
    assert gateway.sent("usage.events")[0].account_id == "acme"
