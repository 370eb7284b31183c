"""Typed events through the whole gateway: records and a result for each event."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.times import DAY, HOUR
from tests.support.gateway_client import KEY, NOW, SERVER_KEY, GatewayClient

TICKET = {"event_id": "e-1", "account_id": "acme-inc", "ticket_id": "t-1", "kind": "opened"}
SURVEY = {"event_id": "e-2", "account_id": "acme-inc", "survey_id": "s-1", "kind": "nps", "score": 9}
BILL = {"event_id": "e-3", "account_id": "acme-inc", "kind": "invoice_issued"}
BASICS = {"event_id": "e", "account_id": "a"}
LEAST: dict[str, dict[str, Any]] = {
    "usage.events": BASICS | {"name": "n"},
    "support.events": TICKET,
    "billing.events": BILL,
    "survey.responses": SURVEY,
    "engagement.events": BASICS | {"kind": "touch"},
    "account.profiles": BASICS,
    "alert.actions": BASICS | {"alert_id": "a", "kind": "acknowledged", "author": "kim"},
    "account.overrides": BASICS | {"target": "score", "value": 40, "reason": "r", "author": "kim"},
    "account.links": BASICS | {"into": "b"},
}
LINK = BASICS | {"account_id": "~user:u", "into": "b"}


@pytest.fixture
def gateway() -> GatewayClient:
    return GatewayClient()


ACTION = BASICS | {"alert_id": "a", "author": "kim"}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"kind": "snoozed"}, "/until"),
        ({"kind": "snoozed", "until": NOW}, "/until"),
        ({"kind": "assigned"}, "/assignee"),
        ({"kind": "reviewed"}, "/feedback"),
        ({"kind": "dismissed", "feedback": "great"}, "/feedback"),
        ({"kind": "noted"}, "/note"),
        ({"kind": "task_set", "note": "x" * 301}, "/note"),
    ],
)
def test_an_action_that_would_change_nothing_is_refused(
    gateway: GatewayClient, change: dict[str, Any], pointer: str
) -> None:
    answer = gateway.post("/v1/events/alert.actions", ACTION | change)
    assert (answer.status, answer.json["pointer"]) == (400, pointer)


@pytest.mark.parametrize(
    ("topic", "name", "words"),
    [
        ("billing.events", "amount", "did you mean amount_minor?"),
        ("account.profiles", "arr", "did you mean arr_minor?"),
        ("account.profiles", "zzz", "docs/reference/events.md has the fields"),
    ],
)
def test_an_unknown_field_is_told_the_nearest_one(
    gateway: GatewayClient, topic: str, name: str, words: str
) -> None:
    answer = gateway.post(f"/v1/events/{topic}", BASICS | {name: 1})
    assert answer.json["message"] == f"unknown field {name!r}; {words}"


def test_a_time_in_seconds_is_told_so(gateway: GatewayClient) -> None:
    answer = gateway.post("/v1/events/support.events", TICKET | {"occurred_at": NOW // 1000})
    assert answer.json["message"].startswith("these are seconds")


@pytest.mark.parametrize("topic", sorted(LEAST))
def test_a_topic_needs_no_other_fields(gateway: GatewayClient, topic: str) -> None:
    answer = gateway.post(f"/v1/events/{topic}", LEAST[topic])

    assert (answer.status, answer.json["accepted"], answer.json["rejected"]) == (200, 1, 0)
    (record,) = gateway.sent(topic)
    assert (record.tenant, record.source, record.occurred_at, record.received_at) == ("acme", "api", NOW, NOW)
    assert gateway.outbox.records[0].key == f"acme:{record.account_id}".encode()


def test_each_event_of_a_list_has_its_result(gateway: GatewayClient) -> None:
    items = [
        TICKET,
        TICKET | {"kind": "exploded"},
        7,
        TICKET | {"event_id": "e-9", "occurred_at": "2026-05-01T00:00:00Z"},
    ]
    answer = gateway.post("/v1/events/support.events", items)

    assert answer.status == 207
    assert (answer.json["accepted"], answer.json["rejected"]) == (2, 2)
    assert [result["status"] for result in answer.json["results"]] == [
        "accepted",
        "rejected",
        "rejected",
        "accepted",
    ]
    assert [result.get("pointer") for result in answer.json["results"]] == [None, "/1/kind", "/2", None]
    assert [(r.event_id, r.occurred_at) for r in gateway.sent("support.events")] == [
        ("e-1", NOW),
        ("e-9", 1_777_593_600_000),
    ]


@pytest.mark.parametrize(
    ("topic", "event", "pointer"),
    [
        ("support.events", {k: v for k, v in TICKET.items() if k != "ticket_id"}, "/ticket_id"),
        ("support.events", TICKET | {"kind": "unknown"}, "/kind"),
        ("support.events", TICKET | {"kind": "rated"}, "/csat"),
        ("support.events", TICKET | {"kind": "rated", "csat": 6}, "/csat"),
        ("support.events", TICKET | {"severty": "high"}, "/severty"),
        ("support.events", TICKET | {"a/b~c": 1}, "/a~1b~0c"),
        ("support.events", TICKET | {"received_at": NOW}, "/received_at"),
        ("support.events", TICKET | {"subject": "a\0b"}, "/subject"),
        ("support.events", TICKET | {"account_id": "a\tb"}, "/account_id"),
        ("support.events", TICKET | {"event_id": ""}, "/event_id"),
        ("support.events", TICKET | {"tenant": "other"}, "/tenant"),
        ("survey.responses", SURVEY | {"score": 11}, "/score"),
        ("survey.responses", SURVEY | {"kind": "ces", "score": 0}, "/score"),
        ("survey.responses", SURVEY | {"score": 2**40}, "/score"),
        ("survey.responses", SURVEY | {"step": "sent"}, "/score"),
        ("account.profiles", BASICS | {"country": "Germany"}, "/country"),
        ("account.profiles", BASICS | {"uptime_ppm": 1_000_001}, "/uptime_ppm"),
        ("account.profiles", BASICS | {"own": {"Versions": 1}}, "/own/Versions"),
        ("account.profiles", BASICS | {"own": {"x" * 65: 1}}, "/own/" + "x" * 64),
        ("account.profiles", BASICS | {"own": {"x": 1e16}}, "/own/x"),
        ("account.profiles", BASICS | {"own": {"x": "y" * 257}}, "/own/x"),
        ("account.profiles", BASICS | {"own": {"x": [1]}}, "/own/x"),
        ("account.profiles", BASICS | {"own": 3}, "/own"),
        ("account.profiles", BASICS | {"own": {f"x{n}": n for n in range(33)}}, "/own"),
        ("account.profiles", BASICS | {"counted": {"x": 0}}, "/counted/x"),
        ("account.profiles", BASICS | {"counted": {"x": 1.5}}, "/counted/x"),
        ("billing.events", BILL | {"amount_minor": 2**63}, "/amount_minor"),
        ("billing.events", BILL | {"amount_minor": 1.5}, "/amount_minor"),
        ("billing.events", BILL | {"currency": "usd"}, "/currency"),
        ("billing.events", BILL | {"due_at": "soon"}, "/due_at"),
        ("billing.events", BILL | {"occurred_at": -1}, "/occurred_at"),
        ("billing.events", BILL | {"seats": -1}, "/seats"),
    ],
)
def test_a_bad_event_is_400_with_its_pointer(
    gateway: GatewayClient, topic: str, event: dict[str, Any], pointer: str
) -> None:
    answer = gateway.post(f"/v1/events/{topic}", event)

    assert (answer.status, answer.json["pointer"]) == (400, pointer)
    assert gateway.post(f"/v1/events/{topic}", [event]).json["pointer"] == f"/0{pointer}"
    assert not gateway.outbox.records


@pytest.mark.parametrize("topic", sorted(LEAST))
@pytest.mark.parametrize(
    ("off", "words"),
    [
        (-90 * DAY - 1, "90 days old, and one older than 90 days"),
        (-500 * DAY, "500 days old, and one older than 90 days"),
        (HOUR + 1, "60 minutes ahead of the gateway's clock, and 60 are accepted"),
        (2 * DAY, "2880 minutes ahead of the gateway's clock"),
    ],
)
def test_an_event_that_the_journal_would_refuse_for_its_time_is_refused_at_once(
    gateway: GatewayClient, topic: str, off: int, words: str
) -> None:
    answer = gateway.post(
        f"/v1/events/{topic}", [LEAST[topic], LEAST[topic] | {"event_id": "o", "occurred_at": NOW + off}]
    )

    assert (answer.status, answer.json["code"], answer.json["pointer"]) == (207, "invalid", "/1/occurred_at")
    assert words in answer.json["message"]
    assert len(gateway.sent(topic)) == 1


@pytest.mark.parametrize("off", [-90 * DAY, HOUR])
def test_an_event_at_a_bound_of_time_is_accepted(gateway: GatewayClient, off: int) -> None:
    assert gateway.post("/v1/events/support.events", TICKET | {"occurred_at": NOW + off}).status == 200


def test_a_gateway_before_a_simulation_leaves_times_to_the_journal() -> None:
    gateway = GatewayClient(admission=None)

    assert gateway.post("/v1/events/support.events", TICKET | {"occurred_at": NOW - 500 * DAY}).status == 200


def test_a_profile_with_a_domain_links_it_to_the_account(gateway: GatewayClient) -> None:
    gateway.post("/v1/events/account.profiles", BASICS | {"domain": "acme.example", "occurred_at": NOW - 1})
    gateway.post("/v1/events/account.profiles", BASICS | {"domain": "gmail.com"})
    gateway.post("/v1/events/account.profiles", BASICS | {"account_id": "~user:u", "domain": "acme.example"})

    (link,) = gateway.sent("account.links")
    assert (link.account_id, link.into, link.occurred_at) == ("~domain:acme.example", "a", NOW - 1)


def test_events_may_be_sent_to_an_alias_that_an_account_is_linked_to_later(gateway: GatewayClient) -> None:
    for topic in (
        "usage.events",
        "support.events",
        "billing.events",
        "survey.responses",
        "engagement.events",
    ):
        answer = gateway.post(f"/v1/events/{topic}", LEAST[topic] | {"account_id": "~domain:acme.example"})
        assert answer.status == 200
    assert gateway.post("/v1/events/account.links", LINK).status == 200


@pytest.mark.parametrize(
    ("topic", "event", "pointer"),
    [
        ("usage.events", LEAST["usage.events"] | {"account_id": "~acme"}, "/account_id"),
        ("support.events", TICKET | {"account_id": "~domain:gmail.com"}, "/account_id"),
        ("account.links", LINK | {"account_id": "~user:"}, "/account_id"),
        ("account.links", LINK | {"into": "~user:u"}, "/into"),
        ("account.links", LINK | {"into": "a\tb"}, "/into"),
        ("account.links", LINK | {"account_id": "a", "into": "a"}, "/into"),
        ("alert.actions", LEAST["alert.actions"] | {"account_id": "~user:u"}, "/account_id"),
        ("account.overrides", LEAST["account.overrides"] | {"account_id": "~user:u"}, "/account_id"),
    ],
)
def test_what_an_alias_or_a_link_can_not_be(
    gateway: GatewayClient, topic: str, event: dict[str, Any], pointer: str
) -> None:
    answer = gateway.post(f"/v1/events/{topic}", event)

    assert (answer.status, answer.json["pointer"]) == (400, pointer)
    assert not gateway.outbox.records


@pytest.mark.parametrize("topic", sorted(LEAST))
def test_a_write_key_may_send_no_typed_event(gateway: GatewayClient, topic: str) -> None:
    answer = gateway.post(f"/v1/events/{topic}", LEAST[topic], KEY)

    assert (answer.status, answer.json["code"]) == (403, "missing_scope")
    assert "`server`" in answer.json["message"]
    assert "gateway.tenants.acme.server_keys" in answer.json["message"]
    assert not gateway.outbox.records


@pytest.mark.parametrize("source", ["stripe", "zendesk", "segment", "bellbuoy", "Stripe", " STRIPE "])
def test_a_source_with_an_endpoint_of_its_own_can_not_be_claimed(gateway: GatewayClient, source: str) -> None:
    answer = gateway.post("/v1/events/billing.events", BILL | {"source": source})

    assert (answer.status, answer.json["pointer"]) == (400, "/source")
    assert "leave it out" in answer.json["message"]


@pytest.mark.parametrize(
    ("topic", "event", "says"),
    [
        ("support.events", TICKET | {"kind": "open"}, "kind is one of opened, replied, answered"),
        (
            "support.events",
            TICKET | {"severity": "P1"},
            "severity is one of unknown, low, normal, high, urgent",
        ),
        (
            "alert.actions",
            LEAST["alert.actions"] | {"kind": "muted"},
            "kind is one of acknowledged, dismissed, snoozed",
        ),
        (
            "billing.events",
            BILL | {"amount_minor": "12.50"},
            "minor units of the currency: 12.50 USD is 1250",
        ),
        ("usage.events", LEAST["usage.events"] | {"duration_ms": 1.5}, "a whole number of milliseconds"),
        ("survey.responses", SURVEY | {"score": "9"}, "nps 0..10, csat 1..5, ces 1..7"),
    ],
)
def test_a_refusal_says_what_the_field_may_hold(
    gateway: GatewayClient, topic: str, event: dict[str, Any], says: str
) -> None:
    assert says in gateway.post(f"/v1/events/{topic}", event).json["message"]


def test_the_tenant_may_be_repeated_and_the_source_named(gateway: GatewayClient) -> None:
    gateway.post("/v1/events/support.events", TICKET | {"tenant": "acme", "source": "helpdesk"})

    assert gateway.sent("support.events")[0].source == "helpdesk"


def test_a_list_may_be_empty(gateway: GatewayClient) -> None:
    assert gateway.post("/v1/events/support.events", []).json["accepted"] == 0


def test_keys_and_topics_are_checked(gateway: GatewayClient) -> None:
    assert gateway.post("/v1/events/support.events", TICKET, {}).status == 401
    assert gateway.post("/v1/events/account.journal", TICKET).json["code"] == "unknown_topic"
    assert gateway.post("/v1/events/support.events", b"[").status == 400
    assert gateway.post("/v1/events/support.events", b"[1,").status == 400


def test_an_override_that_ends_before_it_was_said_is_refused(gateway: GatewayClient) -> None:
    override = LEAST["account.overrides"] | {"occurred_at": NOW - 60_000}

    for ends in (NOW - 60_000, "2020-01-01", 0):
        answer = gateway.post("/v1/events/account.overrides", override | {"expires_at": ends})
        assert (answer.status, answer.json["pointer"]) == (400, "/expires_at")
    kept = gateway.post("/v1/events/account.overrides", override | {"expires_at": NOW - 1})
    assert kept.status == 200  # history that has run out meanwhile


def test_a_profile_carries_facts_and_counts_of_the_senders_own(gateway: GatewayClient) -> None:
    own = {"pulse": 4, "pilot": True, "review": "2026-11-02", "gone": None}
    event = BASICS | {"own": own, "author": "Ines", "counted": {"posts": 2}, "user_id": "u-7"}
    assert gateway.post("/v1/events/account.profiles", event).status == 200
    (profile,) = gateway.sent("account.profiles")
    assert (profile.own, profile.author) == (own, "Ines")
    assert (profile.counted, profile.user_id) == ({"posts": 2}, "u-7")


@pytest.mark.parametrize(("target", "status"), [("own.pulse", 200), ("own.Pulse", 400), ("own.", 400)])
def test_a_measure_of_the_teams_own_may_be_overridden(
    gateway: GatewayClient, target: str, status: int
) -> None:
    event = BASICS | {"target": target, "value": 50, "reason": "seen", "author": "Ines"}
    assert gateway.post("/v1/events/account.overrides", event).status == status


def test_a_ticket_that_moved_is_said_to_the_account_before(gateway: GatewayClient) -> None:
    moved = TICKET | {"kind": "updated", "status": "open", "snapshot": True, "moved_from": "acme-old"}

    assert gateway.post("/v1/events/support.events", moved).status == 200
    there, gone = gateway.sent("support.events")
    assert (there.account_id, there.kind, there.source) == ("acme-inc", "updated", "api")
    assert (gone.account_id, gone.kind, gone.source) == ("acme-old", "moved", "bellbuoy")
    assert (gone.ticket_id, gone.occurred_at) == ("t-1", there.occurred_at)


@pytest.mark.parametrize("account", ["a\nb", "~nobody", ""])
def test_an_account_before_must_be_one(gateway: GatewayClient, account: str) -> None:
    answer = gateway.post("/v1/events/support.events", TICKET | {"moved_from": account})

    assert (answer.status, answer.json["pointer"]) == (400, "/moved_from")


def test_of_a_list_of_500_with_3_bad_the_bad_ones_are_kept(gateway: GatewayClient) -> None:
    items = [TICKET | {"event_id": f"e-{number}", "ticket_id": f"t-{number}"} for number in range(500)]
    for number in (3, 250, 499):
        items[number] = items[number] | {"kind": "exploded"}
    answer = gateway.post("/v1/events/support.events", items)

    assert (answer.status, answer.json["accepted"], answer.json["rejected"]) == (207, 497, 3)
    assert len(gateway.sent("support.events")) == 497
    letters = gateway.sent("events.deadletter")
    assert [(letter.pointer, letter.topic, letter.producer) for letter in letters] == [
        ("/kind", "support.events", "api")
    ] * 3


def test_lines_of_several_topics(gateway: GatewayClient) -> None:
    lines = [
        SURVEY | {"topic": "survey.responses"},
        TICKET | {"topic": "support.events"},
        TICKET | {"topic": "x"},
    ]
    body = b"\n".join(json.dumps(line).encode() for line in lines) + b"\n\n"
    answer = gateway.post("/v1/events", body, SERVER_KEY | {"content-type": "application/x-ndjson"})

    assert [one["status"] for one in answer.json["results"]] == ["accepted", "accepted", "rejected"]
    assert answer.json["pointer"] == "/2/topic"
    assert (len(gateway.sent("survey.responses")), len(gateway.sent("support.events"))) == (1, 1)
    assert gateway.post("/v1/events", lines[:2], SERVER_KEY).status == 200
    assert gateway.post("/v1/events", lines[:2], KEY).status == 403
    own = b"\n".join(json.dumps(item).encode() for item in (TICKET, TICKET | {"event_id": "e-2"}))
    lines_of_one = SERVER_KEY | {"content-type": "application/x-ndjson; charset=utf-8"}
    assert gateway.post("/v1/events/support.events", own, lines_of_one).json["accepted"] == 2
