"""An account is deleted in a running deployment: from the states, the outputs and Redis, and for good."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
from typer.testing import CliRunner

from bellbuoy.cli.app import app
from bellbuoy.cli.terminal.errors import report_error
from schemas.connection import Connection
from schemas.records import AccountProfile, BillingEvent
from schemas.times import DAY
from sinks.redis.reader import RedisReader
from sinks.redis.settings import RedisSettings
from sinks.redis.sink import RedisSink
from tests.support.changelog import read_topic
from tests.support.delivery import delivering
from tests.support.deployment import Deployment, deployed
from tests.support.fold_partitions import link
from tests.support.input_producer import usage
from tests.support.waiting import until

pytestmark = pytest.mark.services

START = 20_600 * DAY + 32_400_000
KEY = b"acme:amber"


@pytest.fixture
def deployment(bootstrap: Connection, tmp_path: Path) -> Iterator[Deployment]:
    with deployed(bootstrap, tmp_path) as running:
        yield running


@pytest.fixture
def settings(redis_url: str) -> RedisSettings:
    return RedisSettings(url=redis_url, prefix=f"t{uuid.uuid4().hex[:8]}")


def of(account_id: str, at: int, name: str) -> dict[str, Any]:
    about = {"tenant": "acme", "source": "test", "received_at": at}
    return about | {"event_id": name, "account_id": account_id, "occurred_at": at}


def send(deployment: Deployment, topic: str, *events: Any) -> None:
    """Send events and wait until they are in the states."""
    expected = deployment.applied() + len(events)
    deployment.producer.send(topic, events)
    until(lambda: deployment.applied() == expected, what=f"the events of {topic}")


def planned_deletion(deployment: Deployment) -> Any:
    """Return what a deletion of the account would erase, once the user's events have come to it."""

    def planned() -> Any:
        found = deployment.cli("account", "delete", "amber", "--tenant", "acme", "--dry-run")
        return found if found["known"]["events"] == 10 else None

    return until(planned, what="the transfer of the user's events")


def newest(deployment: Deployment, topic: str) -> Any:
    """Return the bytes of the newest record of the account."""
    name = deployment.topics.changelog if topic == "changelog" else deployment.topics.name(topic)
    messages = read_topic(deployment.bootstrap, name, deployment.topics.partitions)
    return {message.key(): message.value() for message in messages}.get(KEY)


def traces(client: redis.Redis, prefix: str) -> list[bytes]:
    """Return what in Redis names the customer or its people; ids of accounts stand in the update stream."""
    found = []
    for key in client.scan_iter(f"{prefix}:*"):
        kind = client.type(key)
        if key == f"{prefix}:updates".encode():
            continue
        content = client.hgetall(key) if kind == b"hash" else key
        if b"Amber Foods" in repr(content).encode() or key.endswith(b":acme:amber"):
            found.append(key)
    return found


def test_an_account_is_deleted_everywhere_and_comes_back_by_what_is_later(
    bootstrap: Connection, deployment: Deployment, settings: RedisSettings
) -> None:
    deployment.tick(START)
    sink, reader = RedisSink(settings), RedisReader(settings)
    with delivering(bootstrap, deployment.topics, sink), closing(reader):
        client = redis.Redis.from_url(settings.url)
        named = AccountProfile(**of("amber", START - 9, "p"), name="Amber Foods", owner="ann")
        failed = BillingEvent(**of("amber", START - 9, "b"), kind="payment_failed", invoice_id="in")
        send(
            deployment, "account.profiles", named, AccountProfile(**of("other", START - 9, "o"), name="Other")
        )
        send(deployment, "billing.events", failed)
        send(deployment, "usage.events", *(usage(n, "~user:kim", START - n * DAY) for n in range(1, 9)))
        send(deployment, "account.links", link("~user:kim", "amber", START - 5))
        deployment.tick(START + 120_000)  # KPIs are published within a minute
        until(lambda: reader.kpis("acme", "amber"), what="the KPIs in Redis")
        assert len(reader.open_alerts("acme", 9)) == 1
        assert traces(client, settings.prefix)

        planned = planned_deletion(deployment)
        assert (planned["linked"], planned["open_alerts"]) == (["~user:kim"], 1)
        assert planned["known"] == {"events": 10, "users": 7, "invoices": 1, "profile fields": 2}
        assert (planned["dry_run"], planned["deleted_at"]) == (True, None)
        done = deployment.cli("account", "delete", "amber", "--tenant", "acme", "--yes", "--author", "kim")
        assert done["deleted_at"] == START + 120_000
        until(lambda: reader.account("acme", "amber") is None, what="the deletion in Redis")
        until(lambda: reader.kpis("acme", "amber") is None, what="the deletion of the KPIs")
        until(lambda: not reader.open_alerts("acme", 9), what="the end of the alert")
        assert {one.account_id for one in reader.accounts("acme")} == {"other"}
        until(lambda: not traces(client, settings.prefix), what="nothing left in Redis")
        [alert] = [
            raw for key in client.scan_iter(f"{settings.prefix}:alert:*") if (raw := client.hgetall(key))
        ]
        assert (alert[b"change"], alert[b"title"]) == (b"resolved", b"Account deleted")

        again = deployment.cli("replay", "--from", "2026-01-01")
        assert (again["same_as_live"], again["states_differ"]) == (True, [])
        # What comes late doesn't bring it back, neither under an alias.
        send(
            deployment,
            "billing.events",
            BillingEvent(**of("amber", START - 7, "late"), kind="payment_failed"),
        )
        send(deployment, "usage.events", usage(77, "~user:kim", START - DAY), usage(78, "amber", START))
        states = deployment.states()
        assert [states[key]["deleted_at"] for key in (KEY, b"acme:~user:kim")] == [START + 120_000] * 2
        assert reader.account("acme", "amber") is None

        deployment.tick(START + DAY)
        later = BillingEvent(**of("amber", START + DAY, "later"), kind="payment_failed", invoice_id="new")
        send(deployment, "billing.events", later)
        fresh = until(lambda: reader.account("acme", "amber"), what="the new account")
        assert fresh.name is None
        assert [one.episode for one in reader.open_alerts("acme", 9)] == [2]

        deployment.cli("account", "delete", "amber", "--tenant", "acme", "--yes")
        until(lambda: reader.account("acme", "amber") is None, what="the second deletion in Redis")
        # Once nothing from before is admitted any more, not even the time of the deletion is kept.
        deployment.tick(START + 93 * DAY)
        until(lambda: newest(deployment, "changelog") is None, what="the end of the state")
        assert newest(deployment, "account.health") is None
        assert newest(deployment, "account.kpis") is None
        assert KEY not in deployment.states()
        assert deployment.letters() == []  # delivery passes over records without a value


def test_a_slip_deletes_nothing(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment.tick(START)
    send(deployment, "usage.events", usage(1, "amber", START))
    before = deployment.states()
    for name, value in {
        "BELLBUOY_KAFKA__BOOTSTRAP": str(deployment.bootstrap),
        "BELLBUOY_KAFKA__TOPIC_PREFIX": deployment.topics.prefix,
        "BELLBUOY_KAFKA__PARTITIONS": str(deployment.topics.partitions),
    }.items():
        monkeypatch.setenv(name, value)
    command = ["account", "delete", "amber", "--tenant", "acme"]

    answers = {"n\n": "nothing was changed", "": "--yes deletes without asking"}
    for answer, words in answers.items():
        refused = CliRunner().invoke(app, command, input=answer)
        assert refused.exit_code == 1
        assert "Of acme:amber is known: 1 events, 1 users." in refused.output
        assert words in refused.output
    slip = CliRunner().invoke(app, ["account", "delete", "ambre", "--tenant", "acme", "--yes"])
    assert slip.exception is not None
    assert report_error(slip.exception) == 1
    assert "did you mean amber?" in str(slip.exception)
    assert deployment.states() == before
