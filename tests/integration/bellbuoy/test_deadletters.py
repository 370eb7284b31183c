"""`bellbuoy deadletters` against a real topic."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from schemas.codec.record_codec import codec
from schemas.connection import Connection
from schemas.records import DeadLetter, dead_letters
from schemas.topics import Topics
from tests.support.output_records import health

pytestmark = pytest.mark.services

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def letters(topics: Topics) -> list[DeadLetter]:
    good = codec("account.health").encode(health())
    common: list[dict[str, Any]] = [
        {"reason": "undecodable", "detail": "cut\noff", "topic": "usage.events", "value": b"\xff\0"},
        {"reason": "invalid", "detail": "redis: no", "topic": "account.health", "value": good},
        {"reason": "too_late", "detail": "old", "topic": "usage.events", "value": None, "tenant": "demo"},
    ]
    placed = [
        dead_letters.of_record(
            **given | {"topic": topics.name(given["topic"])},
            partition=1,
            offset=number,
            key=b"demo:acme",
            headers={"producer": b"app", "raw": b"\xff"},
            failed_at=1_750_000_000_000 + number,
        )
        for number, given in enumerate(common)
    ]
    front = dead_letters.of_request(
        reason="invalid",
        detail="userId is missing",
        topic="usage.events",
        body=b'{"event": "x"}',
        pointer="/userId",
        producer="segment",
        tenant="acme",
        failed_at=1_750_000_000_009,
    )
    return [*placed, front]


@pytest.fixture
def written(bootstrap: Connection, topics: Topics) -> list[DeadLetter]:
    producer = Producer(bootstrap.librdkafka())
    given = letters(topics)
    for letter in [*given, given[0]]:
        producer.produce(topics.name("events.deadletter"), codec("events.deadletter").encode(letter))
    producer.flush(30)
    return given


@pytest.fixture
def command(bootstrap: Connection, topics: Topics, tmp_path: Path) -> Command:
    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BELLBUOY_")}
        own = {
            "BELLBUOY_KAFKA__BOOTSTRAP": str(bootstrap),
            "BELLBUOY_KAFKA__TOPIC_PREFIX": topics.prefix,
            "COLUMNS": "200",
        }
        return subprocess.run(
            [sys.executable, "-P", "-m", "bellbuoy", "deadletters", *arguments],
            cwd=tmp_path,
            env=clean | own | env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def listed(command: Command, *arguments: str) -> list[dict[str, Any]]:
    done = command("list", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["deadletters"]
    return found


def test_an_empty_topic(command: Command) -> None:
    done = command("list")

    assert (done.returncode, done.stdout) == (0, "No dead letters.\n")


def test_list_filters_and_orders(command: Command, written: list[DeadLetter], topics: Topics) -> None:
    late, bad, old, front = (letter.id for letter in written)

    assert [x["id"] for x in listed(command)] == [front, old, bad, late]  # each once
    assert [x["id"] for x in listed(command, "--limit", "2")] == [front, old]
    assert [x["id"] for x in listed(command, "--oldest-first", "--limit", "3")] == [late, bad, old]
    assert [x["id"] for x in listed(command, "--reason", "invalid")] == [front, bad]
    assert [x["id"] for x in listed(command, "--topic", "account.health")] == [bad]
    assert [x["id"] for x in listed(command, "--topic", topics.name("account.health"))] == [bad]
    assert [x["id"] for x in listed(command, "--tenant", "demo")] == [old]
    assert [x["id"] for x in listed(command, "--producer", "segment")] == [front]
    assert [x["id"] for x in listed(command, "--status", "redriven")] == []
    assert [x["id"] for x in listed(command, "--since", "2025-06-15T15:06:40.002Z")] == [front, old]
    assert [x["id"] for x in listed(command, "--until", "2025-06-15T15:06:40.002Z")] == [bad, late]


def test_list_for_people(command: Command, written: list[DeadLetter], topics: Topics) -> None:
    lines = command("list").stdout.splitlines()

    assert lines[0].split() == [
        "ID",
        "WHEN",
        "STATUS",
        "REASON",
        "TOPIC/PARTITION@OFFSET",
        "PRODUCER",
        "DETAIL",
    ]
    assert f"{topics.prefix}account.health/1@1" in lines[3]
    assert "cut\\x0aoff" in lines[4]
    assert "segment   userId is missing" in lines[1]


def test_show_decodes_what_decodes(command: Command, written: list[DeadLetter]) -> None:
    avro = json.loads(command("show", written[1].id, "--json").stdout)
    text = json.loads(command("show", written[3].id[:12], "--json").stdout)
    garbage = json.loads(command("show", written[0].id, "--json").stdout)

    assert avro["value"]["account_id"] == "acme"
    assert avro["value_hex"] == (written[1].value or b"").hex()
    assert avro["headers"] == {"producer": "app", "raw": "0xff"}
    assert avro["key"] == "demo:acme"
    assert (text["value"], text["pointer"]) == ({"event": "x"}, "/userId")
    assert (garbage["value"], garbage["value_hex"]) == (None, "ff00")
    shown = command("show", written[1].id).stdout
    assert '"account_id": "acme"' in shown
    assert "2025-06-15T15:06:40.001Z" in shown
    assert '"as_of": "2025-06-15T15:06:40.001Z"' in shown
    assert '"received_at": "2025-06-15T15:06:40.000Z"' in shown
    last = shown.splitlines()[-1]
    raw = written[1].value or b""
    assert last == f"value_hex    {raw[:32].hex()}… {len(raw):,} bytes, all of them with --json"
    assert shown.index('"account_id"') < shown.index("headers") < shown.index("value_hex")


def test_what_is_no_letter_is_shown_too(command: Command, bootstrap: Connection, topics: Topics) -> None:
    producer = Producer(bootstrap.librdkafka())
    producer.produce(topics.name("events.deadletter"), b"\x1b[2Jgarbage", partition=2)
    producer.flush(30)

    (found,) = listed(command)

    assert (found["partition"], found["offset"], found["reason"]) == (2, 0, "undecodable")
    assert "not a dead letter" in found["detail"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["show", "nope"], 1, "no dead letter nope"),
        (["show", ""], 1, "4 dead letters begin with"),
        (["list", "--reason", "boredom"], 2, "'undecodable', 'unknown_schema'"),
        (["list", "--limit", "0"], 2, "--limit"),
        (["list", "--since", "yesterday"], 2, "'yesterday' is no time"),
        (["redrive"], 2, "say which dead letters"),
        (["repair", "--reason", "invalid", "--set", "x"], 2, "FIELD=VALUE"),
        (["repair", "--reason", "invalid", "--edit"], 2, "give its ID"),
    ],
)
def test_mistakes_are_told(
    command: Command, written: list[DeadLetter], arguments: list[str], code: int, says: str
) -> None:
    done = command(*arguments)

    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_kafka_away_or_without_topics(command: Command) -> None:
    away = command("list", BELLBUOY_KAFKA__BOOTSTRAP="127.0.0.1:1")
    missing = command("list", BELLBUOY_KAFKA__TOPIC_PREFIX="nowhere-")

    assert away.returncode == 69
    assert "127.0.0.1:1" in away.stderr
    assert missing.returncode != 0
    assert "bellbuoy topics create" in missing.stderr
