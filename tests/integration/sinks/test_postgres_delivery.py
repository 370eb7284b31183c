"""Postgres behind a real delivery: kills, an outage, lost content and a rebuild end in the same rows."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.connection import Connection
from schemas.records import RiskAlert
from schemas.topics import Topics
from sinks.port import Output
from sinks.postgres.settings import PostgresSettings
from sinks.postgres.sink import PostgresSink
from tests.support.delivery import delivering, done, publish
from tests.support.forked_role import ForkedRole
from tests.support.output_records import health, story
from tests.support.postgres_server import away, content, migrated, query
from tests.support.role_processes import role_settings
from tests.support.waiting import until

pytestmark = pytest.mark.services


def untouched(outputs: list[Output]) -> dict[str, list[Any]]:
    """Return the content of a database that was given everything once."""
    settings = migrated()
    sink = PostgresSink(settings)
    sink.write(outputs)
    sink.close()
    return content(settings)


def rows(settings: PostgresSettings) -> int:
    return int(query(settings, "SELECT count(*) FROM score_history")[0][0])


def stories(count: int) -> list[Output]:
    """Return stories one after the other: no two records of a key have the same version."""
    outputs: list[Output] = []
    for seed in range(count):
        for output in story(seed):
            time = "changed_at" if isinstance(output, RiskAlert) else "as_of"
            later = {"sequence": output.sequence + 1_000 * seed, time: getattr(output, time) + 1_000 * seed}
            outputs.append(msgspec.structs.replace(output, **later))
    return outputs


def test_an_outage_and_lost_content_under_load(bootstrap: Connection, topics: Topics) -> None:
    settings, outputs = migrated(), stories(4)
    half = len(outputs) // 2
    with delivering(bootstrap, topics, PostgresSink(settings)):
        publish(bootstrap, topics, outputs[:half])
        with away(settings.url):
            publish(bootstrap, topics, outputs[half:])
        until(lambda: done(bootstrap, topics, PostgresSink(settings)))
        query(settings, f"TRUNCATE positions, {', '.join(content(settings))}")
        until(lambda: rows(settings) > 0, what="filled again, unasked")
        until(lambda: content(settings) == untouched(outputs), what="the same rows")


def test_killed_between_a_write_and_its_commit(bootstrap: Connection, topics: Topics, tmp_path: Path) -> None:
    settings, outputs = migrated(), stories(6)
    publish(bootstrap, topics, outputs)
    role = role_settings(
        bootstrap, topics, tmp_path, delivery={"batch_records": 20}, postgres=settings.model_dump()
    )
    process = ForkedRole("deliver", role, tmp_path / "log")
    draw = random.Random(3)
    for kill in range(5):
        process.start()
        try:
            enough = rows(settings) + draw.randrange(40, 160)
            until(lambda n=enough: rows(settings) >= n or done(bootstrap, topics, PostgresSink(settings)))
            if kill == 4:
                until(lambda: done(bootstrap, topics, PostgresSink(settings)))
        finally:
            process.kill()

    assert content(settings) == untouched(outputs)


def sinks_command(
    bootstrap: Connection, topics: Topics, settings: PostgresSettings, folder: Path
) -> Callable[..., dict[str, Any]]:
    """Return `bellbuoy sinks … --json`, which must end with the code that is expected, by default 0."""
    environment = {
        "BELLBUOY_KAFKA__BOOTSTRAP": str(bootstrap),
        "BELLBUOY_KAFKA__TOPIC_PREFIX": topics.prefix,
        "BELLBUOY_POSTGRES__URL": settings.url,
    }

    def sinks(*arguments: str, code: int = 0) -> dict[str, Any]:
        command = [sys.executable, "-P", "-m", "bellbuoy", "sinks", *arguments, "--json"]
        answer = subprocess.run(
            command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
        )
        assert answer.returncode == code, answer.stderr
        found: dict[str, Any] = json.loads(answer.stdout)
        return found

    return sinks


def test_a_rebuild_repairs_what_delivery_can_not_notice(
    bootstrap: Connection, topics: Topics, tmp_path: Path
) -> None:
    settings, outputs = migrated(), stories(2)
    sinks = sinks_command(bootstrap, topics, settings, tmp_path)
    with delivering(bootstrap, topics, PostgresSink(settings)):
        publish(bootstrap, topics, outputs)
        until(lambda: done(bootstrap, topics, PostgresSink(settings)))
        query(settings, "UPDATE accounts SET score = 0; UPDATE alerts SET title = ''; DELETE FROM kpis")
        assert content(settings) != untouched(outputs)
        assert sinks("rebuild", "postgres")["filled"] is True
        until(lambda: content(settings) == untouched(outputs), what="the same rows")


def test_reconcile_names_each_difference_and_repairs_it(
    bootstrap: Connection, topics: Topics, tmp_path: Path
) -> None:
    settings, outputs = migrated(), stories(2)
    sinks = sinks_command(bootstrap, topics, settings, tmp_path)
    publish(bootstrap, topics, [*outputs, health("gone", 9_000, deleted=True), health("whole", 1, 1e22)])
    behind = sinks("lag", "postgres")["lag"]["postgres"]
    assert behind["account.health"] > 300
    assert behind["risk.alerts"] > 50
    with delivering(bootstrap, topics, PostgresSink(settings)):
        until(lambda: done(bootstrap, topics, PostgresSink(settings)))
    before = content(settings)

    assert sinks("lag", "postgres")["lag"]["postgres"] == dict.fromkeys(behind, 0)
    same = sinks("reconcile", "postgres")
    assert same["published"] == same["entries"] == {"account.health": 7, "account.kpis": 6}
    assert same["differences"] == []

    query(settings, "DELETE FROM accounts WHERE account_id = 'a1'")
    query(settings, "UPDATE accounts SET owner = 'eve' WHERE account_id = 'a2'")
    query(settings, "UPDATE kpis SET account_id = 'nobody' WHERE account_id = 'a3'")
    query(settings, "UPDATE kpis SET as_of = as_of + interval '1 year' WHERE account_id = 'a4'")
    found = sinks("reconcile", "postgres", code=1)
    assert [(one["topic"], one["account"], one["difference"]) for one in found["differences"]] == [
        ("account.health", "a1", "missing"),
        ("account.health", "a2", "different"),
        ("account.kpis", "a3", "missing"),
        ("account.kpis", "a4", "different"),
        ("account.kpis", "nobody", "left_over"),
    ]

    repaired = sinks("reconcile", "postgres", "--repair")
    assert (repaired["repaired"], repaired["left"]) == (5, 0)
    assert content(settings) == before
