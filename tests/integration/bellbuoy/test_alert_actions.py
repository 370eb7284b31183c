"""Acts on alerts from the command line: what is written, what is refused, and what the alert then says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bellbuoy.cli.app import app
from bellbuoy.local.embedded.ports import free_port
from bellbuoy.operations.acts.alerts import write_alert_action
from bellbuoy.operations.kafka.errors import KafkaAwayError
from bellbuoy.settings import KafkaSettings, Settings
from bellbuoy.times import now
from schemas.codec.record_codec import codec
from schemas.connection import Connection
from schemas.records import AlertAction, BillingEvent, RiskAlert
from schemas.times import DAY
from schemas.topics import Topics
from sinks.redis.settings import RedisSettings
from sinks.redis.sink import RedisSink
from tests.support.changelog import read_topic
from tests.support.deployment import Deployment, deployed
from tests.support.output_records import alert
from tests.support.waiting import until

pytestmark = pytest.mark.services

START = 20_600 * DAY


class Command:
    """``bellbuoy alerts`` on topics and keys of a test's own."""

    def __init__(self, bootstrap: Connection, topics: Topics, redis_url: str, clock: str = "wall") -> None:
        self._environment = {
            "BELLBUOY_KAFKA__BOOTSTRAP": str(bootstrap),
            "BELLBUOY_KAFKA__TOPIC_PREFIX": topics.prefix,
            "BELLBUOY_KAFKA__PARTITIONS": str(topics.partitions),
            "BELLBUOY_REDIS__URL": redis_url,
            "BELLBUOY_REDIS__PREFIX": topics.prefix,
            "BELLBUOY_JOURNAL__CLOCK": clock,
        }
        self._bootstrap, self._topics = bootstrap, topics
        self._sink = RedisSink(RedisSettings(url=redis_url, prefix=topics.prefix))
        self._sink.open()

    def shows(self, *alerts: RiskAlert) -> None:
        self._sink.write(alerts)

    def run(self, *arguments: str) -> Any:
        return CliRunner().invoke(app, ["alerts", *arguments, "--author", "kim"], env=self._environment)

    def written(self) -> list[AlertAction]:
        name = self._topics.name("alert.actions")
        records = read_topic(self._bootstrap, name, self._topics.partitions)
        return [codec("alert.actions").decode(record.value()) for record in records]

    def close(self) -> None:
        self._sink.close()


@pytest.fixture
def command(bootstrap: Connection, topics: Topics, redis_url: str) -> Iterator[Command]:
    running = Command(bootstrap, topics, redis_url)
    yield running
    running.close()


def test_every_act_is_written_with_what_was_said(command: Command) -> None:
    command.shows(alert("3fd0aa"), alert("3fe1bb", 2))
    said = now()
    for arguments in (
        ("acknowledge", "3fd0", "--note", "Call on Thursday"),
        ("snooze", "3fd0", "--until", "3d"),
        ("assign", "3fd0aa", "--to", "Ines Marrow"),
        ("dismiss", "3fe", "--feedback", "noise"),
        ("resolve", "3fe1bb", "--note", "Renewed", "--feedback", "useful"),
    ):
        done = command.run(*arguments)
        assert done.exit_code == 0, done.output
        assert "'Acme GmbH turned at risk' of Acme GmbH (demo:acme, alert 3f" in done.stdout
    written = {action.kind: action for action in command.written()}
    assert {kind: action.alert_id for kind, action in written.items()} == {
        "acknowledged": "3fd0aa",
        "snoozed": "3fd0aa",
        "assigned": "3fd0aa",
        "dismissed": "3fe1bb",
        "resolved": "3fe1bb",
    }
    assert {(action.tenant, action.account_id, action.author) for action in written.values()} == {
        ("demo", "acme", "kim")
    }
    assert written["acknowledged"].note == "Call on Thursday"
    assert 0 <= (written["snoozed"].until or 0) - 3 * DAY - said < DAY
    assert written["assigned"].assignee == "Ines Marrow"
    assert (written["dismissed"].feedback, written["dismissed"].note) == ("noise", None)
    assert (written["resolved"].feedback, written["resolved"].note) == ("useful", "Renewed")


def test_json_names_the_alert_and_the_act(command: Command) -> None:
    command.shows(alert("3fd0aa"))
    answer = json.loads(command.run("acknowledge", "3", "--note", "Mine", "--json").stdout)
    (action,) = command.written()
    assert answer == {
        "tenant": "demo",
        "account_id": "acme",
        "alert_id": "3fd0aa",
        "action_id": action.event_id,
        "kind": "acknowledged",
        "author": "kim",
        "note": "Mine",
        "until": None,
        "assignee": None,
        "feedback": None,
    }


REFUSED = [
    ("acknowledge 3f", "2 open alerts begin with '3f': 3fe1bb (Acme GmbH); 3fd0aa (Acme GmbH)"),
    ("acknowledge 77", "no open alert of tenant demo begins with '77'"),
    ("acknowledge 3fd0aa --tenant other", "no open alert of tenant other begins with"),
    ("dismiss 900d", "alert 900d is not open any more: it was resolved at"),
    ("acknowledge 5ade", "no open alert of tenant demo begins with '5ade'"),
    ("snooze 3fd0 --until 2020-01-01", "'2020-01-01' is over: give"),
    ("snooze 3fd0 --until 400d", "within 90 days (--until)"),
    ("snooze 3fd0 --until soon", "'soon' is no time: give"),
    ("assign 3fd0 --to=", "name a person (--to)"),
    ("dismiss 3fd0 --feedback meh", "'meh' is not one of"),
    (
        f"resolve 3fd0 --note {'x' * 40_000}",
        "the note has 40,000 characters, at most 32,768: shorten it (--note)",
    ),
]


def test_what_can_not_be_done_is_refused_before_it_is_written(command: Command) -> None:
    resolved, shadow = alert("900d", 3, "resolved"), alert("5ade", 4, shadow=True)
    command.shows(alert("3fd0aa"), alert("3fe1bb", 2, opened_at=now()), resolved, shadow)
    for arguments, told in REFUSED:
        refused = command.run(*arguments.split())
        assert refused.exit_code != 0, arguments
        assert told in " ".join((refused.stderr + str(refused.exception or "")).split()), arguments
    assert command.written() == []


def test_kafka_away_is_said_and_not_taken_for_done(redis_url: str) -> None:
    bootstrap = f"127.0.0.1:{free_port()}"
    settings = Settings(kafka=KafkaSettings(bootstrap=bootstrap))
    with pytest.raises(KafkaAwayError, match=bootstrap):
        write_alert_action(settings, alert(), "acknowledged", author="kim")


def test_an_acknowledged_alert_says_who_has_it(bootstrap: Connection, redis_url: str, tmp_path: Path) -> None:
    with deployed(bootstrap, tmp_path) as deployment:
        deployment.tick(START)
        leaving = {"event_id": "e", "tenant": "demo", "account_id": "a1", "source": "test"}
        deployment.producer.send(
            "billing.events",
            [
                BillingEvent(
                    **leaving,
                    occurred_at=START,
                    received_at=START,
                    kind="cancel_scheduled",
                    subscription_id="s",
                    status="active",
                )
            ],
        )
        opened = until(lambda: _alerts(deployment), what="the alert")[0]
        command = Command(bootstrap, deployment.topics, redis_url, "simulated")
        command.shows(opened)
        done = command.run("acknowledge", opened.alert_id[:8], "--note", "I call them")
        assert done.exit_code == 0, done.output
        taken = until(lambda: [a for a in _alerts(deployment) if a.acknowledged_by], what="the act")[0]
        command.close()
    assert (taken.alert_id, taken.acknowledged_by, taken.note) == (opened.alert_id, "kim", "I call them")
    assert taken.acknowledged_at == START


def _alerts(deployment: Deployment) -> list[RiskAlert]:
    records = read_topic(
        deployment.bootstrap, deployment.topics.name("risk.alerts"), deployment.topics.partitions
    )
    return [codec("risk.alerts").decode(record.value()) for record in records]
