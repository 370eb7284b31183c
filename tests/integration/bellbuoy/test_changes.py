"""Models put in force and overrides, in a running deployment: no restart, and a replay that agrees."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bellbuoy.cli.app import app
from bellbuoy.cli.terminal.errors import report_error
from bellbuoy.operations.changes import models, overrides, transaction
from bellbuoy.operations.changes.in_force import models_in_force, requested_models
from bellbuoy.operations.changes.transaction import ChangeError, OvertakenError
from bellbuoy.settings import KafkaSettings, Settings
from processors.fold.models_in_force import RESCORE_SPREAD
from processors.model import load_model
from schemas.codec.record_codec import codec
from schemas.connection import Connection
from schemas.times import DAY
from schemas.topics import Topics
from sinks.redis.settings import RedisSettings
from sinks.redis.sink import RedisSink
from streams.kafka.transactional_producer import TransactionalProducer
from tests.support.changelog import read_topic
from tests.support.deployment import Deployment, deployed
from tests.support.input_producer import usage
from tests.support.output_records import health
from tests.support.recorded_partition import STRICT
from tests.support.waiting import until

pytestmark = pytest.mark.services

START = 20_600 * DAY + 32_400_000
ACCOUNTS = 8


@pytest.fixture
def deployment(bootstrap: Connection, tmp_path: Path) -> Iterator[Deployment]:
    with deployed(bootstrap, tmp_path) as running:
        yield running


def newest(deployment: Deployment) -> dict[str, Any]:
    name, decode = deployment.topics.name("account.health"), codec("account.health").decode
    records = (
        decode(m.value()) for m in read_topic(deployment.bootstrap, name, deployment.topics.partitions)
    )
    return {record.account_id: record for record in records}


def day(deployment: Deployment, number: int) -> None:
    before = deployment.applied()
    at = START + number * DAY
    events = [usage(number * 1_000 + n * 10 + i, f"a{n}", at - i) for n in range(ACCOUNTS) for i in range(4)]
    deployment.tick(at)
    deployment.producer.send("usage.events", events)
    until(lambda: deployment.applied() == before + len(events), what="the day")


def test_a_model_changes_while_all_runs_and_survives_a_crash(deployment: Deployment, tmp_path: Path) -> None:
    strict = tmp_path / "strict.yaml"
    strict.write_text(STRICT)
    for number in range(15):
        day(deployment, number)
    assert deployment.cli("model", "live")["in_force"] == []
    said = deployment.cli("model", "apply", str(strict), "--author", "kim")
    assert (said["model"], said["replaced"]) == ("strict", [])
    until(lambda: deployment.cli("model", "live")["in_force"], what="the model in force")
    deployment.tick(START + 14 * DAY + RESCORE_SPREAD + 1)
    until(lambda: {one.model for one in newest(deployment).values()} == {"strict"}, what="all scored anew")
    assert {one.band for one in newest(deployment).values()} == {"critical"}
    name = deployment.topics.name("risk.alerts")
    assert read_topic(deployment.bootstrap, name, deployment.topics.partitions) == []

    deployment.roles.processes[1].kill()
    deployment.roles.start("worker")
    day(deployment, 15)
    assert {one.model for one in newest(deployment).values()} == {"strict"}
    same = deployment.cli("replay", "--from", "2026-01-01")
    assert (same["same_as_live"], same["accounts"]) == (True, ACCOUNTS)

    with pytest.raises(ChangeError, match="there is strict for every tenant"):
        deployment.cli("model", "withdraw", "strcit")
    assert deployment.cli("model", "withdraw", "strict", "--author", "kim")["role"] == "live"
    until(lambda: deployment.cli("model", "live")["in_force"] == [], what="the withdrawal")
    deployment.tick(START + 15 * DAY + RESCORE_SPREAD + 1)
    until(lambda: {one.model for one in newest(deployment).values()} == {"default"}, what="the default again")
    assert deployment.cli("replay", "--from", "2026-01-01")["same_as_live"] is True


@pytest.mark.timeout(900)
def test_rules_change_while_all_runs_and_a_forecast_agrees_with_what_was_published(
    deployment: Deployment, tmp_path: Path
) -> None:
    rules = tmp_path / "busy.yaml"
    rules.write_text("ruleset: busy\nversion: 1\nrules:\n  idle: {title: Idle, when: usage.silence >= 2.0}\n")
    for number in range(3):
        day(deployment, number)
    said = deployment.cli("rules", "apply", str(rules), "--author", "kim")
    assert (said["ruleset"], said["replaced"]) == ("busy", [])
    until(lambda: deployment.cli("rules", "list")["in_force"], what="the rules in force")
    assert deployment.cli("model", "live")["in_force"] == []
    deployment.tick(START + 2 * DAY + RESCORE_SPREAD + 1)
    deployment.tick(START + 5 * DAY)
    name, topics = deployment.topics.name("risk.alerts"), deployment.topics

    def alerts() -> list[Any]:
        decode = codec("risk.alerts").decode
        return [decode(m.value()) for m in read_topic(deployment.bootstrap, name, topics.partitions)]

    until(lambda: len(alerts()) >= ACCOUNTS, what="an alert on each account")
    assert {(one.rule, one.change, one.rules_version) for one in alerts()} == {
        ("idle", "opened", said["version"])
    }
    assert deployment.cli("replay", "--from", "2026-01-01")["same_as_live"] is True
    [listed] = deployment.cli("rules", "list", "--from", "2026-01-01")["rules"]
    assert (listed["rule"], listed["opened"], listed["precision"]) == ("idle", ACCOUNTS, None)
    forecast = deployment.cli("rules", "forecast", str(rules), "--from", "2026-01-01")
    assert {one["account_id"] for one in forecast["alerts"]} == {one.account_id for one in alerts()}
    with pytest.raises(ChangeError, match="there is busy for every tenant"):
        deployment.cli("rules", "withdraw", "bussy")
    deployment.cli("rules", "withdraw", "busy", "--author", "kim")
    until(lambda: deployment.cli("rules", "list")["in_force"] == [], what="the withdrawal")
    deployment.tick(START + 5 * DAY + RESCORE_SPREAD + 1)
    until(
        lambda: any(one.change == "resolved" for one in alerts()), what="the end of what no rule stands for"
    )


def test_what_a_person_says_is_scored_and_replayed(deployment: Deployment) -> None:
    day(deployment, 0)
    day(deployment, 1)
    said = (
        "override",
        "set",
        "a1",
        "12.5",
        "--reason",
        "Told us",
        "--tenant",
        "acme",
        "--days",
        "3",
        "--anyway",
    )
    assert deployment.cli(*said, "--author", "kim")["value"] == 12.5
    until(lambda: newest(deployment)["a1"].score == 12.5, what="the override")
    (shown,) = newest(deployment)["a1"].overrides
    assert (shown.author, shown.reason, shown.until) == ("kim", "Told us", START + 4 * DAY)
    deployment.tick(START + DAY + 1)  # of two words of one millisecond either may be the later
    deployment.cli("override", "withdraw", "a1", "--tenant", "acme", "--author", "kim", "--anyway")
    until(lambda: newest(deployment)["a1"].overrides == [], what="the withdrawal")
    day(deployment, 2)
    assert deployment.cli("replay", "--from", "2026-01-01")["same_as_live"] is True


@pytest.mark.parametrize("kind", ["model", "override"])
def test_of_two_changes_at_once_the_loser_says_so_and_left_nothing(
    kind: str,
    bootstrap: Connection,
    topics: Topics,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = Settings(
        kafka=KafkaSettings(
            bootstrap=str(bootstrap), topic_prefix=topics.prefix, partitions=topics.partitions
        )
    )

    class Overtaken(TransactionalProducer):
        def __init__(self, bootstrap: Connection, transactional_id: str) -> None:
            super().__init__(bootstrap, transactional_id)
            self.name = transactional_id

        def commit(self) -> None:
            TransactionalProducer(bootstrap, self.name)
            super().commit()

    def change() -> None:
        if kind == "model":
            models.put_model_in_force(settings, load_model(STRICT), tenant="*", shadow=False, author="kim")
        else:
            overrides.write_override(
                settings, "acme", "a1", target="score", value=9, reason="r", author="kim", until=None
            )

    name = topics.name("model.changes" if kind == "model" else "account.overrides")
    with monkeypatch.context() as patched:
        patched.setattr(transaction, "TransactionalProducer", Overtaken)
        with pytest.raises(OvertakenError) as told:
            change()
    assert report_error(told.value) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "took over" in line
    assert "run it again" in line
    assert read_topic(bootstrap, name, topics.partitions) == []
    change()
    assert len(read_topic(bootstrap, name, topics.partitions)) == (
        topics.partitions if kind == "model" else 1
    )


def test_an_override_of_an_account_that_nobody_knows_is_refused_before_it_is_written(
    bootstrap: Connection, topics: Topics, redis_url: str
) -> None:
    sink = RedisSink(RedisSettings(url=redis_url, prefix=topics.prefix))
    sink.open()
    sink.write([health("acme-inc")])
    sink.close()
    environment = {
        "BELLBUOY_KAFKA__BOOTSTRAP": str(bootstrap),
        "BELLBUOY_KAFKA__TOPIC_PREFIX": topics.prefix,
        "BELLBUOY_KAFKA__PARTITIONS": str(topics.partitions),
        "BELLBUOY_REDIS__URL": redis_url,
        "BELLBUOY_REDIS__PREFIX": topics.prefix,
    }

    def override(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["override", *arguments, "--author", "kim"], env=environment)

    said = ("--reason", "Told us")
    for arguments in (("set", "acme-icn", "35", *said), ("withdraw", "acme-icn")):
        refused = override(*arguments)
        assert refused.exit_code == 1
        told = "nothing is known of account 'acme-icn' of tenant demo; did you mean acme-inc? --anyway"
        assert told in refused.stderr
    name = topics.name("account.overrides")
    assert read_topic(bootstrap, name, topics.partitions) == []
    assert override("set", "acme-inc", "35", *said).exit_code == 0
    assert override("set", "new-inc", "35", *said, "--anyway").exit_code == 0
    assert len(read_topic(bootstrap, name, topics.partitions)) == 2


def test_what_the_journal_would_refuse_is_refused_at_once(bootstrap: Connection, topics: Topics) -> None:
    settings = Settings(
        kafka=KafkaSettings(
            bootstrap=str(bootstrap), topic_prefix=topics.prefix, partitions=topics.partitions
        )
    )
    for reason, author, what in (("x" * 1_025, "kim", "1,025 characters"), (" ", "kim", "reason is empty")):
        with pytest.raises(ChangeError, match=what):
            overrides.write_override(
                settings, "acme", "a1", target="score", value=9, reason=reason, author=author, until=None
            )
    with pytest.raises(ChangeError, match="shorten --author"):
        models.put_model_in_force(settings, load_model(STRICT), tenant="*", shadow=False, author="k" * 2_000)
    for name in ("model.changes", "account.overrides"):
        assert read_topic(bootstrap, topics.name(name), topics.partitions) == []


def test_changes_at_one_moment_leave_one_model_and_tell_the_losers(
    bootstrap: Connection, topics: Topics
) -> None:
    settings = Settings(
        kafka=KafkaSettings(
            bootstrap=str(bootstrap), topic_prefix=topics.prefix, partitions=topics.partitions
        )
    )

    def put(name: str) -> str:
        model = load_model(STRICT.replace("model: strict", f"model: {name}"))
        try:
            models.put_model_in_force(settings, model, tenant="*", shadow=False, author="kim")
        except OvertakenError:
            return ""
        return name

    with ThreadPoolExecutor(3) as pool:
        for number in range(4):
            made = {*pool.map(put, [f"m{number}-{n}" for n in range(3)])} - {""}
            assert made
            (left,) = {entry.name for entry in requested_models(settings)}
            assert left in made


def test_a_change_sees_one_that_no_worker_has_folded_yet(bootstrap: Connection, topics: Topics) -> None:
    settings = Settings(
        kafka=KafkaSettings(
            bootstrap=str(bootstrap), topic_prefix=topics.prefix, partitions=topics.partitions
        )
    )

    def put(name: str) -> list[str]:
        model = load_model(STRICT.replace("model: strict", f"model: {name}"))
        return models.put_model_in_force(settings, model, tenant="*", shadow=False, author="kim")

    assert [put("first"), put("second"), put("second")] == [[], ["first"], ["second"]]
    # Again and again, as the markers of a transaction may come before or after its author has its answer.
    for number in range(6):
        assert put(f"another-{number}") == ["second" if number == 0 else f"another-{number - 1}"]
    assert put("second") == ["another-5"]
    assert models.withdraw_model(settings, "second", tenant="*", author="kim") == "live"
    with pytest.raises(ChangeError, match="no model 'second' is in force"):
        models.withdraw_model(settings, "second", tenant="*", author="kim")
    assert models_in_force(settings) == []
