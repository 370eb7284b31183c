"""Drift of producers: what is warned of, after how many events, and what is not."""

from __future__ import annotations

import json
import random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.drift.names import name_of
from gateway.drift.shapes import shape_of
from gateway.drift.watch import DriftWatch
from gateway.http.sender import Sender
from gateway.metrics import DRIFT
from schemas.times import DAY
from tests.support.gateway_client import NOW, SERVER_KEY, STAMP, GatewayClient


class Watched:
    """A watch, one tenant's producers, and what was told."""

    def __init__(self) -> None:
        self.now = NOW
        self.told: list[dict[str, Any]] = []
        self.watch = DriftWatch(lambda _tenant, warning: self.told.append(warning))

    def send(self, *events: dict[str, Any], source: str = "segment", size: int = 1) -> None:
        for at in range(0, len(events), size):
            raws = [orjson.dumps(event) for event in events[at : at + size]]
            self.watch.observe(Sender("acme", source, self.now), raws)

    def open(self) -> list[tuple[str, str, str]]:
        return [
            (each["kind"], each["event"], each["pointer"])
            for producer in self.watch.report("acme")["producers"]
            for each in producer["warnings"]
        ]


def exported(**properties: Any) -> dict[str, Any]:
    return {"event": "Exported", "userId": "u", "properties": {"feature": "x"} | properties}


SIGNED_IN = {"event": "Signed in", "userId": "u"}


def test_a_renamed_field_is_warned_of_within_a_few_events() -> None:
    watched = Watched()
    watched.send(*[exported(plan="pro")] * 50)
    assert watched.open() == []

    watched.send(*[exported(plan_name="pro")] * 50)
    assert watched.open() == [("renamed", "Exported", "/properties/plan")]
    [told] = watched.told
    assert "/properties/plan_name came instead" in told["message"]
    assert told["became"] == "warning"


def test_a_missing_field_and_its_return() -> None:
    watched, counted = Watched(), DRIFT.labels("segment", "missing")._value
    before = counted.get()
    watched.send(*[exported(plan="pro")] * 50, *[exported()] * 50)
    assert watched.open() == [("missing", "Exported", "/properties/plan")]
    assert counted.get() == before + 1

    watched.send(*[exported(plan="pro")] * 50)
    assert watched.open() == []
    assert counted.get() == before


def test_a_lost_object_is_one_warning() -> None:
    watched = Watched()
    watched.send(*[exported(plan="pro")] * 50, *[{"event": "Exported", "userId": "u"}] * 50)
    assert watched.open() == [("missing", "Exported", "/properties")]


def test_a_change_of_type_and_its_return() -> None:
    watched = Watched()
    watched.send(*[exported(seats=5)] * 50, *[exported(seats="5")] * 50)
    assert watched.open() == [("type", "Exported", "/properties/seats")]
    assert "of type string, and was of type number" in watched.told[0]["message"]

    watched.send(*[exported(seats=6)] * 50)
    assert watched.open() == []


def test_a_kind_of_event_that_stopped_and_its_return() -> None:
    watched = Watched()
    watched.send(*[exported(), SIGNED_IN] * 50)
    watched.send(*[SIGNED_IN] * 100)
    assert watched.open() == [("stopped", "Exported", "")]

    watched.send(*[exported()] * 25)
    assert watched.open() == []


def test_a_producer_that_is_silent_while_others_go_on() -> None:
    watched = Watched()
    for _ in range(60):
        watched.send(SIGNED_IN)
        watched.send({"type": "ticket.updated"}, source="zendesk")
    watched.send(*[SIGNED_IN] * 100)
    assert watched.open() == [("silent", "", "")]


@pytest.mark.parametrize("size", [1, 7, 100, 1_000])
def test_a_change_is_seen_in_requests_of_any_size(size: int) -> None:
    watched = Watched()
    watched.send(*[exported(plan="pro")] * 4_000, size=size)
    watched.send(*[exported(plan_name="pro")] * 2_000, size=size)
    assert watched.open() == [("renamed", "Exported", "/properties/plan")]


def test_what_was_never_regular_is_no_drift() -> None:
    """Optional fields, several types, rare events and a new field are how producers are."""
    chance, watched = random.Random(7), Watched()
    for n in range(3_000):
        event = exported(
            **({"plan": "pro"} if chance.random() < 0.7 else {}),
            value=chance.choice([1, "1", None]),
            **({"new": 1} if n > 1_500 else {}),
        )
        watched.send(event if chance.random() < 0.9 else {"event": f"rare {chance.randrange(40)}"})
    assert watched.open() == []


def test_little_is_known_of_a_new_producer_and_nothing_said() -> None:
    watched = Watched()
    watched.send(*[exported(plan="pro")] * 20, *[exported()] * 20)
    assert watched.open() == []


def test_a_change_that_stays_is_adopted() -> None:
    watched = Watched()
    watched.send(*[exported(plan="pro")] * 50, *[exported()] * 2_500)
    assert watched.open() == [("missing", "Exported", "/properties/plan")]
    watched.now += DAY
    watched.send(*[exported()] * 50)
    assert watched.open() == []
    assert len(watched.told) == 1


def test_no_tenant_sees_another() -> None:
    watched = Watched()
    watched.send(*[exported(plan="pro")] * 50)
    watched.watch.observe(Sender("other", "segment", NOW), [orjson.dumps(exported())] * 50)
    assert watched.open() == []
    assert watched.watch.report("nobody") == {"producers": []}


def test_a_stranger_fills_no_memory() -> None:
    watched = Watched()
    watched.send(*[{"event": str(n), f"field {n}": 1} for n in range(2_000)])
    watched.send(*[{"event": "same", f"field {n}": 1} for n in range(2_000)])
    [producer] = watched.watch.report("acme")["producers"]
    assert len(producer["kinds"]) <= 64


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=200)
@given(st.lists(JSON | st.dictionaries(st.text(), JSON), max_size=20))
def test_any_json_is_looked_at(events: list[Any]) -> None:
    watched = Watched()
    watched.watch.observe(Sender("acme", "api", NOW), [json.dumps(each).encode() for each in events])
    watched.watch.report("acme")


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b'{"event": "Exported", "type": "track"}', "Exported"),
        (b'{"type": "invoice.paid"}', "invoice.paid"),
        (b'{"event": {"a": 1}, "topic": "x"}', "x"),
        (b"[1]", ""),
        (b"\xff", ""),
        (b"[" * 100_000, ""),
    ],
)
def test_the_name_of_an_event_is_what_it_says(raw: bytes, name: str) -> None:
    assert name_of(raw) == name


def test_a_shape_is_flat() -> None:
    assert shape_of({"a/b": {"c": [{"d": 1.5}], "e": []}, "n": None, "t": True}) == {
        "/a~1b": "object", "/a~1b/c": "array", "/a~1b/c/0/d": "number", "/a~1b/e": "array", "/t": "boolean",
    }  # fmt: skip


def test_a_producer_sees_its_drift_at_the_gateway() -> None:
    gateway = GatewayClient()

    def send(first: int, **fields: Any) -> None:
        answers = [
            {
                "event_id": f"a-{first + n}", "account_id": "acme-inc", "source": "form",
                "occurred_at": STAMP, "survey_id": "s", "kind": "nps", "user_id": f"u-{first + n}",
            }
            | fields
            for n in range(5)
        ]  # fmt: skip
        assert gateway.post("/v1/events/survey.responses", answers, SERVER_KEY).status == 200

    for round_ in range(10):
        send(5 * round_, score=9, comment="Fine")
    for round_ in range(10, 20):
        send(5 * round_, score=9)
    answer = gateway.request("GET", "/v1/drift", headers=SERVER_KEY)
    [producer] = answer.json["producers"]
    assert [(each["kind"], each["pointer"]) for each in producer["warnings"]] == [("missing", "/comment")]
    assert (
        b'bellbuoy_ingest_drift_warnings{kind="missing",source="api"} 1.0'
        in gateway.request("GET", "/metrics").content
    )
    assert gateway.request("GET", "/v1/drift").status == 401
