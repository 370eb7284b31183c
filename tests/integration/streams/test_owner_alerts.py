"""The owners' stage on a real broker: every notification is decided once, whatever is killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from processors.fold.shared import SHARED_KEY, Shared
from schemas.codec.record_codec import codec
from schemas.connection import Connection
from schemas.identity.keys import account_key, partition_of
from schemas.identity.owners import OWNERS
from schemas.records import AccountProfile, BillingEvent, UsageEvent
from schemas.times import DAY, HOUR, MINUTE
from tests.support.changelog import read_topic
from tests.support.deployment import Deployment, deployed
from tests.support.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]

POLICY = """
policy: everything-at-once
version: 1
everybody: {budget: 1000}
digest: {only: []}
storms: {accounts: 1000000, wait: 0}
"""
START = 20_500 * DAY + 12 * 3_600_000
ALERTS = 2_000


@pytest.fixture
def deployment(bootstrap: Connection, tmp_path: Path) -> Iterator[Deployment]:
    with deployed(bootstrap, tmp_path) as running:
        yield running


def published(deployment: Deployment, topic: str) -> list[Any]:
    decode, name = codec(topic).decode, deployment.topics.name(topic)
    return [decode(m.value()) for m in read_topic(deployment.bootstrap, name, deployment.topics.partitions)]


def test_kills_during_alerts_decide_each_notification_once(deployment: Deployment, tmp_path: Path) -> None:
    """Journal and worker are killed in turn while 2,000 accounts get an alert each."""
    of = {"tenant": "acme", "source": "test", "occurred_at": START - MINUTE, "received_at": START - MINUTE}
    accounts = [f"a{number}" for number in range(ALERTS)]
    profiles = [
        AccountProfile(**of, event_id=f"p{one}", account_id=one, name=one, owner=f"owner {number % 40}")
        for number, one in enumerate(accounts)
    ]
    failures = [
        BillingEvent(**of, event_id=f"f{one}", account_id=one, kind="payment_failed", invoice_id="i")
        for one in accounts
    ]
    deployment.tick(START)
    (tmp_path / "owners.yaml").write_text(POLICY)
    assert deployment.cli("owners", "apply", str(tmp_path / "owners.yaml"))["replaced"] is None
    deployment.tick(START + 1)
    assert [e["policy"] for e in deployment.cli("owners", "live")["in_force"]] == ["everything-at-once"]
    deployment.producer.send("account.profiles", profiles)
    before = deployment.topics.partitions  # the policy, once a partition
    until(lambda: deployment.applied() == before + ALERTS, what="the profiles")
    roles = dict(zip(("journal", "worker"), deployment.roles.processes, strict=True))
    for number in range(8):
        before = deployment.applied()
        deployment.producer.send("billing.events", failures[number * 250 : (number + 1) * 250])
        until(lambda before=before: deployment.applied() > before, what="some of them")
        role = ("worker", "journal")[number % 2]
        roles[role].kill()
        roles[role] = deployment.roles.start(role)
    until(lambda: deployment.applied() == deployment.topics.partitions + 2 * ALERTS, what="every event")
    until(lambda: len(published(deployment, "alert.notifications")) >= ALERTS, what="the notifications")
    deployment.tick(START + 10 * MINUTE)

    alerts, told = published(deployment, "risk.alerts"), published(deployment, "alert.notifications")
    assert len(alerts) == ALERTS
    assert sorted(n.alerts[0].alert_id for n in told) == sorted(alert.alert_id for alert in alerts)
    assert len({n.notification_id for n in told}) == ALERTS
    assert {n.partition for n in told} == {
        partition_of(account_key("acme", OWNERS), deployment.topics.partitions)
    }
    assert all(n.recipient == n.alerts[0].owner for n in told)
    replayed = deployment.cli("replay", "--from", "2026-01-01")
    assert (replayed["same_as_live"], replayed["owners_differ"]) == (True, [])


def test_an_operator_sees_a_storm_and_ends_it(deployment: Deployment, tmp_path: Path) -> None:
    of = {"tenant": "acme", "source": "test", "occurred_at": START - MINUTE, "received_at": START - MINUTE}
    (tmp_path / "owners.yaml").write_text(POLICY.replace("1000000, wait: 0", "20"))
    deployment.tick(START)
    deployment.cli("owners", "apply", str(tmp_path / "owners.yaml"))
    deployment.tick(START + 1)
    assert deployment.cli("owners", "storms") == {"open": []}
    failures = [
        BillingEvent(**of, event_id=f"f{n}", account_id=f"a{n}", kind="payment_failed", invoice_id="i")
        for n in range(30)
    ]
    deployment.producer.send("billing.events", failures)
    until(lambda: [e["held"] for e in deployment.cli("owners", "storms")["open"]] == [30], what="the storm")

    [storm] = deployment.cli("owners", "storms", "--tenant", "acme")["open"]
    assert deployment.cli("owners", "storms", "--tenant", "other") == {"open": []}
    assert (storm["tenant"], storm["kind"], storm["about"]) == ("acme", "storm", "billing payment")
    assert storm["ends_at"] == storm["last_at"] + 15 * MINUTE
    deployment.tick(START + MINUTE)
    ended = deployment.cli("owners", "explain", storm["id"][:8], "--cause", "the bank's outage")
    assert (ended["id"], ended["kind"], ended["held"]) == (storm["id"], "resolved", 30)
    until(lambda: deployment.cli("owners", "storms") == {"open": []}, what="the end of the storm")

    told = published(deployment, "alert.notifications")
    opened, over = (n for n in told if n.kind == "page")
    released = [n for n in told if n.kind != "page"]
    assert [n.alerts[0].change for n in (opened, over)] == ["opened", "resolved"]
    assert over.alerts[0].note == "the bank's outage"
    assert sorted(n.alerts[0].account_id for n in released) == sorted(f"a{n}" for n in range(30))
    assert all("The cause: the bank's outage" in n.notes[0] for n in released)


def test_partitions_report_a_day_on_which_usage_did_not_come_to_each_other(deployment: Deployment) -> None:
    """Twelve accounts came every week on this weekday, but not today."""
    partitions, today = deployment.topics.partitions, START // DAY
    accounts = [f"a{number}" for number in range(12)]
    usage = [
        UsageEvent(
            event_id=f"u{one}-{week}", tenant="acme", account_id=one, source="test", name="did",
            user_id="ann", occurred_at=START - 7 * week * DAY, received_at=START,
        )
        for one in accounts
        for week in (1, 2, 3, 4, 5)
    ]  # fmt: skip
    deployment.tick(START)
    deployment.producer.send("usage.events", usage)
    until(lambda: deployment.applied() == len(usage), what="the usage")
    deployment.tick((today + 1) * DAY + 2 * HOUR)
    holding = len({partition_of(account_key("acme", one), partitions) for one in accounts})
    until(lambda: len(published(deployment, "feed.reports")) == holding * partitions, what="the reports")

    reports = {each.event_id: each for each in published(deployment, "feed.reports")}.values()
    assert {each.day for each in reports} == {today}
    names = ("expected", "short", "newly_short")
    assert [sum(getattr(each, name) for each in reports) for name in names] == [12, 12, 12]
    changelog = deployment.topics.changelog

    def lost() -> set[tuple[int, tuple[int, ...]]]:
        entries: dict[tuple[int, bytes], bytes] = {
            (message.partition(), message.key()): message.value()
            for message in read_topic(deployment.bootstrap, changelog, partitions)
            if message.key().startswith(SHARED_KEY)
        }
        found = {
            number: Shared().with_entries({key: raw for (of, key), raw in entries.items() if of == number})
            for number in range(partitions)
        }
        return {(number, shared.lost_days("acme").usage) for number, shared in found.items()}

    until(
        lambda: lost() == {(number, (today,)) for number in range(partitions)},
        what="the lost day, everywhere",
    )
    assert deployment.letters() == []
