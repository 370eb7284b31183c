"""The journal folded again: `replay` says that it is what is live, `backtest --journal` who will leave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from processors.model import default_text
from processors.state.account import State
from processors.state.encoding import encode_state
from schemas.connection import Connection
from schemas.identity.keys import account_key, partition_of
from schemas.times import DAY
from tests.support.deployment import Deployment, deployed
from tests.support.input_producer import usage
from tests.support.waiting import until

pytestmark = pytest.mark.services

START = 20_600 * DAY + 32_400_000
ACCOUNTS = 10


@pytest.fixture
def deployment(bootstrap: Connection, tmp_path: Path) -> Iterator[Deployment]:
    with deployed(bootstrap, tmp_path) as running:
        yield running


def test_replay(deployment: Deployment, tmp_path: Path) -> None:
    sent = 0
    for day in range(0, 45, 3):
        at = START + day * DAY
        active = [n for n in range(ACCOUNTS) if n % 2 or day < 24]  # half of them fall silent
        events = [usage(day * 1_000 + n * 10 + i, f"a{n}", at - i) for n in active for i in range(4)]
        deployment.tick(at)
        deployment.producer.send("usage.events", events)
        sent += len(events)
        until(lambda sent=sent: deployment.applied() == sent, what="the day")
    deployment.tick(START + 46 * DAY)

    same = deployment.cli("replay", "--from", "2026-01-01")
    assert (same["same_as_live"], same["journal_whole"], same["accounts"]) == (True, True, ACCOUNTS)
    assert same["alert_changes"] > 0
    assert same["days_per_minute"] > 0
    half = deployment.cli("replay", "--from", "2026-01-01", "--to", str_of(START + 20 * DAY))
    assert (half["same_as_live"], half["journal_ends"] < START + 20 * DAY) == (True, True)
    none = deployment.cli("replay", "--from", "2026-01-01", "--tenant", "other")
    assert (none["same_as_live"], none["accounts"], none["events"]) == (True, 0, 0)

    milder = tmp_path / "milder.yaml"
    milder.write_text(default_text().replace("{band: critical, below: 30}", "{band: critical, below: 15}"))
    compared = deployment.cli("replay", "--from", "2026-01-01", "--model", str(milder))
    assert compared["same_as_live"] is True
    assert sum(row["accounts"] for row in compared["bands"]) == ACCOUNTS
    silent = {f"a{n}" for n in range(0, ACCOUNTS, 2)}
    assert {(row["account_id"], row["band"], row["other"]) for row in compared["bands_differ"]} == {
        (account, "critical", "at_risk") for account in silent
    }
    assert compared["alerts_opened_differ"] == []  # the same alerts, only milder

    deployment.tick(START + 90 * DAY)
    dates = tmp_path / "churn.csv"
    left = str_of(START + 88 * DAY)[:10]
    dates.write_text("account_id,churned_at\n" + "".join(f"{account},{left}\n" for account in sorted(silent)))
    [held] = deployment.cli("backtest", "--journal", "--tenant", "acme", "--churn", str(dates))
    assert (held["accounts"], held["days"], held["churners"]) == (ACCOUNTS, 90, len(silent))
    silence = {figure["name"]: figure["value"] for figure in held["by_baseline"]["days without usage"]}
    assert silence["AUC, churn within 30 days"] == 1  # those leave that fell silent first

    key = account_key("acme", "a1")
    producer = Producer(deployment.bootstrap.librdkafka())
    forged = encode_state(State(tenant="acme", account_id="a1"))
    producer.produce(deployment.topics.changelog, forged, key, partition_of(key, 2))
    producer.flush(30)
    told = deployment.cli("replay", "--from", "2026-01-01", code=1)
    assert (told["same_as_live"], told["states_differ"]) == (False, [["acme", "a1"]])

    client = AdminClient(deployment.bootstrap.librdkafka())
    part = TopicPartition(deployment.topics.name("account.journal"), 0, 5)
    client.delete_records([part])[part].result(30)
    cut = deployment.cli("replay", "--from", "2026-01-01", code=1)
    assert (cut["journal_whole"], cut["same_as_live"]) == (False, False)


def str_of(milliseconds: int) -> str:
    from schemas.times import iso

    return iso(milliseconds)
