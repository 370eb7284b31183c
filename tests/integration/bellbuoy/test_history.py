"""`bellbuoy explain --at` and `--since`: the past from the journal is what was published then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from msgspec.structs import replace
from typer.testing import CliRunner

from bellbuoy.cli.app import app
from bellbuoy.console.account import score_at
from bellbuoy.settings import Settings, load
from schemas.codec.record_codec import codec
from schemas.connection import Connection
from schemas.identity.keys import account_key, partition_of
from schemas.records import AccountHealth, BillingEvent, Measure, SupportEvent
from schemas.times import DAY, iso
from tests.support.changelog import read_topic
from tests.support.deployment import Deployment, deployed
from tests.support.input_producer import usage
from tests.support.waiting import until

pytestmark = pytest.mark.services

START = 20_600 * DAY + 32_400_000
ACCOUNTS = 6


@pytest.fixture
def deployment(bootstrap: Connection, tmp_path: Path) -> Iterator[Deployment]:
    with deployed(bootstrap, tmp_path) as running:
        yield running


def published(deployment: Deployment, account: str, topic: str = "account.health") -> list[Any]:
    name, decode = deployment.topics.name(topic), codec(topic).decode
    records = [
        decode(m.value()) for m in read_topic(deployment.bootstrap, name, deployment.topics.partitions)
    ]
    return [record for record in records if record.account_id == account]


def parted(found: dict[str, Any], like: AccountHealth) -> tuple[AccountHealth, list[Measure]]:
    """The health record of an explanation, and all measures: those that count stand before the others."""
    record = msgspec.convert(found, AccountHealth)
    return replace(record, measures=record.measures[: len(like.measures)]), record.measures


def send(deployment: Deployment, at: int, topic: str, events: list[Any]) -> None:
    before = deployment.applied()
    deployment.tick(at)
    deployment.producer.send(topic, events)
    until(lambda: deployment.applied() == before + len(events), what=f"{topic} at {at}")


def text(deployment: Deployment, *arguments: str, code: int = 0) -> str:
    environment = {
        "BELLBUOY_KAFKA__BOOTSTRAP": str(deployment.bootstrap),
        "BELLBUOY_KAFKA__TOPIC_PREFIX": deployment.topics.prefix,
        "BELLBUOY_KAFKA__PARTITIONS": str(deployment.topics.partitions),
        "BELLBUOY_JOURNAL__CLOCK": "simulated",
        "COLUMNS": "100",
    }
    answer = CliRunner().invoke(app, ["explain", *arguments], env=environment, catch_exceptions=False)
    assert answer.exit_code == code, answer.output
    return answer.stdout if code == 0 else answer.stderr


def _settings(deployment: Deployment) -> Settings:
    topics = deployment.topics
    kafka = {
        "bootstrap": str(deployment.bootstrap),
        "topic_prefix": topics.prefix,
        "partitions": topics.partitions,
    }
    return load(kafka=kafka)


def test_the_past_is_what_was_published_then(deployment: Deployment) -> None:
    common = {"tenant": "acme", "account_id": "a1", "source": "test"}
    for day in range(0, 24, 2):
        at = START + day * DAY
        active = [n for n in range(ACCOUNTS) if n != 1 or day < 12]  # a1 falls silent
        events = [usage(day * 1_000 + n * 10 + i, f"a{n}", at - i) for n in active for i in range(4)]
        send(deployment, at, "usage.events", events)
    bill, ticket = START + 23 * DAY, START + 24 * DAY
    times = {"occurred_at": bill, "received_at": bill}
    failed = BillingEvent(
        event_id="b1", kind="payment_failed", invoice_id="in-7", due_at=bill - DAY, amount_minor=100,
        currency="EUR", **common, **times,
    )  # fmt: skip
    send(deployment, bill, "billing.events", [failed])
    times = {"occurred_at": ticket, "received_at": ticket}
    opened = [
        SupportEvent(
            event_id=f"s{n}", ticket_id=f"t-{n}", kind="opened", severity="urgent", **common, **times
        )
        for n in range(1, 5)
    ]
    send(deployment, ticket, "support.events", opened)
    deployment.tick(START + 30 * DAY)

    every = published(deployment, "a1")
    assert len(every) > 12
    for then in (START, START + 5 * DAY, START + 14 * DAY, bill, ticket, START + 29 * DAY):
        expected = [health for health in every if health.as_of <= then][-1]
        found = deployment.cli("explain", "a1", "--tenant", "acme", "--at", iso(then))
        kpis = [one for one in published(deployment, "a1", "account.kpis") if one.as_of <= then][-1:]
        known = kpis[0].measures[len(expected.measures) :] if kpis else []
        assert parted(found, expected) == (expected, [*expected.measures, *known])
        assert found["kpis_as_of"] == (kpis[0].as_of if kpis else None)
        assert (found["at"], found["journal_whole"]) == (then, True)
        assert [alert["alert_id"] for alert in found["alerts"]] == expected.open_alerts
        assert found["history"][0]["score"] == expected.score
        scrubbed = score_at(_settings(deployment), "acme", "a1", then)  # what the console's page shows
        assert (scrubbed.trouble, scrubbed.health) == ("", expected)
        assert parted(found, expected)[0] == scrubbed.health

    since = deployment.cli("explain", "a1", "--tenant", "acme", "--since", iso(bill))
    assert parted(since, every[-1])[0] == every[-1]
    came = {word: move for move in since["moves"] for word in move["came"]}
    assert came["payment failed for in-7"]["at"] == bill
    assert came["ticket t-1 opened (urgent)"]["at"] == ticket
    assert came["time passed"]["after"] != came["time passed"]["before"]
    for move in since["moves"]:
        assert round(sum(move["parts"].values()), 2) == move["change"]
        assert round(move["after"] - move["before"], 2) == move["change"]
    whole = deployment.cli("explain", "a1", "--tenant", "acme", "--since", iso(START - DAY))
    assert (whole["moves"][0]["before"], whole["moves"][0]["at"]) == (None, START)
    assert round(sum(move["change"] for move in whole["moves"]), 2) == every[-1].score

    said = text(deployment, "a1", "--tenant", "acme", "--since", iso(bill - DAY))
    for fact in ("What changed the score since", "payment failed for in-7", "billing.payment", "time passed"):
        assert fact in said, said
    assert max(map(len, said.splitlines())) <= 100

    assert "nothing of account 'nobody'" in text(deployment, "nobody", "--at", "1d", code=1)
    early = text(deployment, "a1", "--tenant", "acme", "--at", iso(START - DAY), code=1)
    assert f"it begins at {iso(START)}: give --at a later time" in early

    client = AdminClient(deployment.bootstrap.librdkafka())
    number = partition_of(account_key("acme", "a1"), deployment.topics.partitions)
    part = TopicPartition(deployment.topics.name("account.journal"), number, 5)
    client.delete_records([part])[part].result(30)
    cut = deployment.cli("explain", "a1", "--tenant", "acme", "--at", iso(ticket))
    assert (cut["journal_whole"], cut["journal_begins"] > START) == (False, True)
    assert "older batches are gone" in text(deployment, "a1", "--tenant", "acme", "--at", iso(ticket))
