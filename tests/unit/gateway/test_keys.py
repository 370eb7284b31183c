"""Keys of senders: what each may send, how much of it, and until when."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.keys.api_keys import ApiKeys
from gateway.keys.quota import Quota
from gateway.metrics import KEY_EVENTS
from schemas.identity.write_keys import WriteKey, decode_key, digest_of, encode_key, key_id, new_secret
from schemas.times import DAY, SECOND
from tests.support.gateway_client import NOW, SETTINGS, STAMP, Answer, GatewayClient, basic

TRACK = {"messageId": "m", "userId": "u", "event": "e", "context": {"groupId": "acme-inc"}}
GROUP = {"messageId": "g", "userId": "u", "groupId": "acme-inc", "traits": {"name": "Acme"}}
BILL = {
    "event_id": "b", "account_id": "acme-inc", "source": "erp", "occurred_at": STAMP,
    "kind": "invoice_paid", "invoice_id": "i-1", "amount_minor": 1, "currency": "USD",
}  # fmt: skip


def key(secret: str, **fields: Any) -> WriteKey:
    digest = digest_of(secret)
    return WriteKey(**{"id": key_id(digest), "tenant": "acme", "name": "app", "digest": digest} | fields)


class Keyed(GatewayClient):
    """A gateway that knows these keys beside those of the settings."""

    def __init__(self, *keys: WriteKey) -> None:
        self.keys = ApiKeys(SETTINGS.keys(), lambda: self.now)
        super().__init__(keys=self.keys)
        self.keys.replace(keys)

    def track(self, secret: str, body: Any = TRACK, path: str = "/v1/track") -> Answer:
        return self.post(path, body, basic(secret))


def test_a_key_opens_what_its_scope_allows() -> None:
    gateway = Keyed(key("one"), key("two", scope="server"))

    assert gateway.track("one").status == gateway.track("two").status == 200
    assert gateway.post("/v1/events/billing.events", BILL, basic("two")).status == 200
    refused = gateway.post("/v1/events/billing.events", BILL, basic("one"))
    assert (refused.status, refused.json["code"]) == (403, "missing_scope")
    assert {event.tenant for event in gateway.sent("usage.events")} == {"acme"}


def test_a_key_in_the_body_opens_too() -> None:
    gateway = Keyed(key("one"))

    assert gateway.post("/v1/track", TRACK | {"writeKey": "one"}, {}).status == 200
    assert gateway.post("/batch", {"api_key": "one", "batch": []}, {}).status == 200


def test_a_key_of_one_source_opens_no_other() -> None:
    gateway = Keyed(key("one", sources=frozenset({"posthog"})))

    refused = gateway.track("one")
    assert (refused.status, refused.json["code"]) == (403, "missing_scope")
    assert "posthog" in refused.json["message"]
    assert gateway.post("/batch", {"api_key": "one", "batch": []}, {}).status == 200


def test_a_key_of_one_kind_of_event_refuses_the_whole_batch_with_another() -> None:
    gateway = Keyed(key("one", topics=frozenset({"usage.events"})))

    batch = {"batch": [TRACK | {"type": "track"}, GROUP | {"type": "group"}]}
    refused = gateway.track("one", batch, "/v1/batch")
    assert (refused.status, refused.json["code"]) == (403, "missing_scope")
    assert gateway.outbox.records == []
    assert gateway.track("one").status == 200


def test_what_follows_from_an_allowed_event_needs_no_topic_of_its_own() -> None:
    gateway = Keyed(key("one", topics=frozenset({"account.profiles"})))

    assert gateway.track("one", GROUP, "/v1/group").status == 200
    assert gateway.sent("account.profiles")
    assert gateway.sent("account.links")


def test_a_revoked_and_an_expired_key_open_nothing() -> None:
    gateway = Keyed(key("old", expires_at=NOW + 1), key("gone", revoked_at=NOW))

    assert gateway.track("gone").status == 401
    assert gateway.track("old").status == 200
    gateway.now += 1
    assert gateway.track("old").status == 401


def test_several_keys_of_a_name_are_valid_while_one_is_rotated() -> None:
    gateway = Keyed(key("old"), key("new"))
    assert gateway.track("old").status == gateway.track("new").status == 200

    gateway.keys.replace([key("old", revoked_at=NOW), key("new")])
    assert (gateway.track("old").status, gateway.track("new").status) == (401, 200)
    assert gateway.track("key-1").status == 200


def test_while_the_keys_are_unread_an_unknown_key_comes_again() -> None:
    gateway = Keyed()
    gateway.keys.complete = False

    answer = gateway.track("one")
    assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (503, "keys_unread", "1")
    assert gateway.track("key-1").status == 200
    assert gateway.request("GET", "/v1/projects/one/settings").status == 503


def test_beyond_its_quota_a_key_waits() -> None:
    gateway = Keyed(key("one", per_second=2), key("two"))
    batch = {"batch": [TRACK | {"type": "track", "messageId": str(n)} for n in range(10)]}

    assert gateway.track("one", batch, "/v1/batch").status == 200
    refused = gateway.track("one")
    assert (refused.status, refused.json["code"]) == (429, "quota")
    assert gateway.track("two").status == 200
    gateway.now += int(refused.headers["retry-after"]) * SECOND
    assert gateway.track("one").status == 200


def test_the_quota_of_a_day_ends_with_the_utc_day() -> None:
    gateway = Keyed(key("one", per_day=2))

    assert [gateway.track("one").status for _ in range(3)] == [200, 200, 429]
    gateway.now += int(gateway.last.headers["retry-after"]) * SECOND if gateway.last else 0
    assert gateway.now // DAY == NOW // DAY + 1
    assert gateway.track("one").status == 200


def test_a_quota_goes_on_when_another_key_changes() -> None:
    gateway = Keyed(key("one", per_day=1))
    gateway.track("one")

    gateway.keys.replace([key("one", per_day=1), key("two")])
    assert gateway.track("one").status == 429


def test_what_kafka_did_not_take_is_not_counted() -> None:
    gateway = Keyed(key("one", per_day=1))
    gateway.outbox.down = True
    assert gateway.track("one").status == 503

    gateway.outbox.down = False
    assert gateway.track("one").status == 200


def test_metrics_count_by_the_name_of_the_key() -> None:
    gateway = Keyed(key("one", name="counted-app"))
    counted = KEY_EVENTS.labels("acme", "counted-app")._value

    gateway.track("one")
    assert counted.get() == 1


def test_no_answer_and_no_record_shows_a_key() -> None:
    secret = new_secret("server")
    made = key(secret, topics=frozenset({"usage.events"}))
    gateway = Keyed(made)

    answers = [
        gateway.track(secret),
        gateway.track(secret, GROUP, "/v1/group"),
        gateway.track(secret + "x"),
        gateway.request("GET", "/metrics"),
    ]
    shown = b"".join(answer.content for answer in answers) + encode_key(made) + repr(made).encode()
    assert secret.encode() not in shown
    assert decode_key(encode_key(made)) == made


@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 200)), min_size=1, max_size=60),
)
def test_over_any_time_a_rate_holds_but_for_one_request(rate: int, requests: list[tuple[int, int]]) -> None:
    quota, now, sent, largest = Quota(per_second=rate), NOW, 0, 0
    for pause, events in requests:
        now += pause
        if quota.wait(now):
            continue
        quota.charge(events, now)
        sent, largest = sent + events, max(largest, events)
    assert sent <= rate * (2 + (now - NOW) / SECOND) + largest


@given(st.integers(1, 20), st.integers(1, 500))
def test_who_waits_as_told_may_go_on(rate: int, events: int) -> None:
    quota = Quota(per_second=rate)
    quota.charge(events, NOW)

    assert quota.wait(NOW + quota.wait(NOW) * SECOND) == 0


def test_a_refusal_by_a_key_is_told_to_its_tenant_alone() -> None:
    gateway = Keyed(key("one", per_day=1))
    gateway.track("one")

    [told] = gateway.told("acme", "/v1/track", TRACK, basic("one"))
    assert (told["became"], told["status"]) == ("refused", 429)
    assert gateway.told("other", "/v1/track", TRACK, basic("one")) == []
