"""The commands that list what is there: open alerts, overrides in force, and what happened to events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from bellbuoy.cli.app import app
from schemas.connection import Connection
from schemas.records import AccountProfile, BillingEvent
from schemas.times import DAY
from schemas.topics import Topics
from sinks.redis.settings import RedisSettings
from sinks.redis.sink import RedisSink
from tests.support.deployment import Deployment, deployed
from tests.support.input_producer import usage
from tests.support.output_records import AT, alert
from tests.support.waiting import until

pytestmark = pytest.mark.services

START = 20_600 * DAY
ABOUT = {"tenant": "acme", "account_id": "a1", "source": "test"}


@pytest.fixture
def deployment(bootstrap: Connection, tmp_path: Path) -> Iterator[Deployment]:
    with deployed(bootstrap, tmp_path) as running:
        running.tick(START)
        yield running


def invoke(redis_url: str, topics: Topics, *arguments: str) -> Any:
    environment = {
        "BELLBUOY_REDIS__URL": redis_url,
        "BELLBUOY_REDIS__PREFIX": topics.prefix,
        "COLUMNS": "120",
    }
    done = CliRunner().invoke(app, list(arguments), env=environment, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_open_alerts_are_listed_the_worst_first(redis_url: str, topics: Topics) -> None:
    assert "No alert is open." in invoke(redis_url, topics, "alerts", "list")
    sink = RedisSink(RedisSettings(url=redis_url, prefix=topics.prefix))
    sink.open()
    taken = {"acknowledged_by": "kim", "acknowledged_at": AT, "note": "I call them"}
    sink.write(
        [
            alert("a1", 1, severity="notice", opened_at=AT + 9),
            alert("a2", 2, severity="critical", owner="Ines Marrow", change="updated", **taken),
            alert("a3", 3, change="resolved"),
        ]
    )
    sink.close()
    answer = orjson.loads(invoke(redis_url, topics, "alerts", "list", "--json"))
    assert [one["alert_id"] for one in answer["alerts"]] == ["a2", "a1"]
    shown = invoke(redis_url, topics, "alerts", "list", "--owner", "ines")
    for words in ("critical", "Ines Marrow", "do: Call the champion", "kim is on it", "I call them", "a2"):
        assert words in shown
    assert "a1" not in shown


def test_overrides_in_force_are_listed_also_of_unknown_accounts(deployment: Deployment) -> None:
    deployment.producer.send("account.profiles", [_profile("a1")])
    said = ("--reason", "Told us", "--tenant", "acme", "--author", "kim", "--anyway")
    deployment.cli("override", "set", "a1", "35", *said, "--days", "3")
    deployment.cli("override", "set", "nobody", "40", *said, "--target", "usage.drop")
    deployment.cli("override", "set", "gone", "45", *said)
    until(lambda: deployment.applied() == 4, what="the overrides")
    deployment.tick(START + 1)
    deployment.cli("override", "withdraw", "gone", "--tenant", "acme", "--author", "kim", "--anyway")
    until(lambda: deployment.applied() == 5, what="the withdrawal")
    listed = deployment.cli("override", "list", "--tenant", "acme")["overrides"]
    assert [(one["account_id"], one["target"], one["value"], one["known"]) for one in listed] == [
        ("a1", "score", 35.0, True),
        ("nobody", "usage.drop", 40.0, False),
    ]
    assert (listed[0]["author"], listed[0]["until"]) == ("kim", START + 3 * DAY)
    assert len(deployment.cli("override", "list", "nobody", "--tenant", "acme")["overrides"]) == 1
    deployment.tick(START + 4 * DAY)
    left = deployment.cli("override", "list", "--tenant", "acme")["overrides"]
    assert [one["account_id"] for one in left] == ["nobody"]


def _profile(account_id: str) -> AccountProfile:
    given = ABOUT | {"account_id": account_id, "event_id": f"p-{account_id}"}
    return AccountProfile(**given, occurred_at=START, received_at=START, name="A1")


def _billing(event_id: str, occurred_at: int = START) -> BillingEvent:
    return BillingEvent(
        **ABOUT, event_id=event_id, occurred_at=occurred_at, received_at=START + 1,
        kind="payment_failed", invoice_id="in-1",
    )  # fmt: skip


def test_the_last_events_are_shown_with_what_happened_to_them(deployment: Deployment) -> None:
    deployment.producer.send("account.profiles", [_profile("a1"), _profile("a2")])
    deployment.producer.send("usage.events", [usage(1, "a1", START), usage(2, "a1", START)])
    old = _billing("b2", START - 200 * DAY)
    deployment.producer.send("billing.events", [_billing("b1"), _billing("b1"), old])
    until(lambda: deployment.ended() == 7, what="the events")
    deployment.roles.processes[0].kill()
    deployment.producer.send("billing.events", [_billing("b3")])

    def tail(*arguments: str) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = deployment.cli("events", "tail", *arguments, "--tenant", "acme")[
            "events"
        ]
        return answer

    shown = {(one["event_id"], one["offset"]): (one["end"], one["why"][:8]) for one in tail("a1")}
    ends = sorted((event_id, end, why) for (event_id, _), (end, why) in shown.items())
    assert [one for one in ends if one[0].startswith("b")] == [
        ("b1", "applied", ""),
        ("b1", "duplicate", ""),
        ("b2", "dead letter", "too_late"),
        ("b3", "waiting", ""),
    ]
    assert len(shown) == 7
    assert {one["account_id"] for one in tail()} == {"a1", "a2"}
    assert [one["event_id"] for one in tail("a2")] == ["p-a2"]
    assert len(tail("-n", "3")) == 3
    said = {one["event_id"]: one["what"] for one in tail("a1")}
    assert (said["b1"], said["p-a1"]) == ("payment failed for in-1", "profile said name")
