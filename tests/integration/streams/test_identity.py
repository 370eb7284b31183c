"""Who an event belongs to is learnt later: parked under an alias, moved to the account, merged, exact."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bellbuoy.operations.kafka.ledger import EndOffsets, InputCounts, count_inputs, end_offsets, read_ledger
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.connection import Connection
from schemas.records import AccountHealth, AccountProfile, BillingEvent
from schemas.times import DAY
from streams.kafka.cluster import Cluster
from tests.support.changelog import read_topic
from tests.support.deployment import Deployment, deployed
from tests.support.fold_partitions import link
from tests.support.input_producer import usage
from tests.support.waiting import until

pytestmark = pytest.mark.services

START = 20_600 * DAY + 32_400_000
JUDGED = (
    "tenant", "account_id", "sequence", "due", "episodes", "score", "band", "scored_day", "opening_score",
    "band_since", "pending_band", "pending_since", "link",
)  # fmt: skip


@pytest.fixture
def deployment(bootstrap: Connection, tmp_path: Path) -> Iterator[Deployment]:
    with deployed(bootstrap, tmp_path, partitions=3) as running:
        yield running


def published(deployment: Deployment) -> list[AccountHealth]:
    name = deployment.topics.name("account.health")
    messages = read_topic(deployment.bootstrap, name, deployment.topics.partitions)
    return [codec("account.health").decode(message.value()) for message in messages]


def balanced(deployment: Deployment, since: EndOffsets, sent: int) -> dict[str, int]:
    """Wait until every event sent is in a state; return how many each account holds."""

    def through() -> bool:
        found, counted = read_ledger(deployment.bootstrap, deployment.topics), books_of()
        return found.total("applied") == sent == sum(found.applied.values()) and found.read == counted.events

    def books_of() -> InputCounts:
        return count_inputs(Cluster(deployment.bootstrap, deployment.topics, committed()), since)

    until(through, what="every event in a state")
    found, counted = read_ledger(deployment.bootstrap, deployment.topics), books_of()
    assert found.total("moved") == counted.moved > 0
    assert counted.events_in == sent + found.total("duplicates") + found.total("dead_letters")
    return {account: applied for (_, account), applied in found.applied.items()}


def test_events_of_a_user_and_a_domain_are_credited_once_they_are_linked(deployment: Deployment) -> None:
    since = dict.fromkeys(end_offsets(deployment.bootstrap, deployment.topics), 0)
    deployment.tick(START)
    users = [f"~user:u{number}" for number in range(7)]
    parked = [usage(number, users[number % 7], START - number % 30 * DAY) for number in range(210)]
    bill = {"tenant": "acme", "source": "test", "occurred_at": START - DAY, "received_at": START}
    invoice = BillingEvent(
        **bill, event_id="b", account_id="~domain:acme.example", kind="payment_failed", invoice_id="in"
    )
    deployment.producer.send("usage.events", parked)
    deployment.producer.send("billing.events", [invoice])
    until(lambda: deployment.applied() == 211, what="what is parked")
    assert not published(deployment)

    links = [link(user, "big", START + n, f"l{n}") for n, user in enumerate(users)]
    links.append(link("~domain:acme.example", "big", START, "d"))
    deployment.producer.send("account.links", [*links, links[0]])  # one is sent twice
    sent = 211 + len(links)
    held = balanced(deployment, since, sent)
    assert held == dict.fromkeys([*users, "~domain:acme.example"], 1) | {"big": 211}

    # What comes later goes to the account at once, also by a user who is said to be of it again.
    later = [usage(1_000 + number, users[number % 7], START + DAY) for number in range(70)]
    deployment.tick(START + DAY)
    deployment.producer.send("usage.events", later)
    deployment.producer.send("account.links", [link(users[0], "big", START + DAY, "again")])
    control = [
        usage(int(one.event_id[1:]), "control", one.occurred_at, source="control")
        for one in [*parked, *later]
    ]
    deployment.producer.send("usage.events", control)
    deployment.producer.send(
        "billing.events",
        [BillingEvent(**bill, event_id="c", account_id="control", kind="payment_failed", invoice_id="in")],
    )
    sent += len(later) + 1 + len(control) + 1
    assert balanced(deployment, since, sent)["big"] == 281
    deployment.tick(START + 2 * DAY)
    states = deployment.states(*JUDGED)
    assert states[b"acme:big"] == states[b"acme:control"]
    assert {health.account_id for health in published(deployment)} == {"big", "control"}

    same = deployment.cli("replay", "--from", "2026-01-01")
    assert (same["same_as_live"], same["states_differ"], same["accounts"]) == (True, [], 2)


def test_a_merged_account_ends_and_the_other_knows_all(deployment: Deployment) -> None:
    since = dict.fromkeys(end_offsets(deployment.bootstrap, deployment.topics), 0)
    deployment.tick(START)
    of = {"tenant": "acme", "source": "test", "occurred_at": START - DAY, "received_at": START}
    deployment.producer.send(
        "billing.events",
        [
            BillingEvent(
                **of, event_id=f"f{number}", account_id="old", kind="payment_failed", invoice_id="in"
            )
            for number in range(3)
        ],
    )
    deployment.producer.send(
        "usage.events", [usage(n, ("old", "new")[n % 2], START - n * DAY) for n in range(20)]
    )
    deployment.producer.send(
        "account.profiles", [AccountProfile(**of, event_id="p", account_id="new", name="New")]
    )
    until(lambda: deployment.applied() == 24, what="both accounts")

    deployment.producer.send("account.links", [link("old", "new", START)])
    deployment.producer.send("usage.events", [usage(n, "old", START) for n in range(100, 110)])
    assert balanced(deployment, since, 35) == {"old": 1, "new": 34}
    deployment.producer.send("account.links", [link("new", "old", START - DAY)])  # older: it closes a circle
    assert balanced(deployment, since, 36) == {"old": 1, "new": 35}
    deployment.tick(START + 60_000)

    alerts = [
        codec("risk.alerts").decode(message.value())
        for message in read_topic(deployment.bootstrap, deployment.topics.name("risk.alerts"), 3)
    ]
    payment = [(a.account_id, a.change, a.title) for a in alerts if a.rule == "payment"]
    assert sorted(payment) == [
        ("new", "opened", "Payment keeps failing"),
        ("new", "opened", "Payment keeps failing"),
        ("new", "resolved", "Merged into old"),
        ("old", "opened", "Payment keeps failing"),
        ("old", "resolved", "Merged into new"),
    ]
    newest = {health.account_id: health for health in published(deployment)}
    assert (newest["old"].band, newest["old"].reasons) == ("unknown", ["Merged into new"])
    assert newest["new"].name == "New"
    assert newest["new"].open_alerts
    assert deployment.states()[b"acme:old"]["due"] is None
    assert deployment.cli("replay", "--from", "2026-01-01")["same_as_live"] is True
