"""With ``--json`` every command prints JSON alone on standard output, also with a schema registry."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from typer.main import get_command

from bellbuoy.cli.app import app
from bellbuoy.operations.kafka.registry import registry
from bellbuoy.settings import load
from schemas.codec.record_codec import codec
from schemas.connection import Connection
from schemas.identity.keys import account_key
from schemas.topics import Topics
from tests.support.forked_command import run_forked
from tests.support.input_producer import InputProducer, usage
from tests.support.role_processes import RoleProcesses
from tests.support.schema_registry import Server, serving
from tests.support.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(900)]

ARGUMENTS: dict[str, list[str]] = {
    "calibrate": ["saas", "--accounts", "10", "--days", "90"],
    "check": [],
    "explain": ["acme-1"],
    "portfolio": [],
    "alerts list": [],
    "events tail": ["acme-1"],
    "override list": [],
    "account delete": ["acme-1", "--dry-run"],
    "backtest": ["saas", "--accounts", "10", "--days", "90"],
    "recover": ["inputs", "--dry-run"],
    "rebuild": ["redis"],
    "replay": ["--from", "1h"],
    "simulate": ["--direct", "--events", "50"],
    "override set": ["acme-1", "35", "--reason", "a test"],
    "override withdraw": ["acme-1"],
    "model check": ["default"],
    "model explain": ["default"],
    "model diff": ["default", "default"],
    "model measures": [],
    "model apply": ["default"],
    "model withdraw": ["default"],
    "model live": [],
    "topics create": [],
    "topics check": [],
    "topics list": [],
    "deadletters list": [],
    "deadletters show": ["{letter}"],
    "deadletters repair": ["{letter}"],
    "deadletters redrive": ["--all"],
    "alerts acknowledge": ["0000"],
    "alerts assign": ["0000", "--to", "ann"],
    "alerts dismiss": ["0000"],
    "alerts resolve": ["0000"],
    "alerts snooze": ["0000", "--until", "7d"],
    "forget": ["--account", "acme-1", "--dry-run"],
    "keys list": [],
    "keys new": ["web-app"],
    "keys revoke": ["0000"],
    "keys rotate": ["0000"],
    "note": ["acme-1", "They hire again"],
    "tasks add": ["acme-1", "Call the sponsor", "--due", "7d"],
    "tasks done": ["0000"],
    "tasks list": [],
    "tasks reopen": ["0000"],
    "import": ["usage.csv", "--map", "map.yaml", "--dry-run"],
    "notify list": [],
    "notify test": ["desk"],
    "owners apply": ["default"],
    "owners check": ["default"],
    "owners explain": ["0000", "--cause", "a test"],
    "owners live": [],
    "owners release": ["0000"],
    "owners storms": [],
    "owners withdraw": [],
    "rules apply": ["default"],
    "rules check": ["default"],
    "rules explain": ["default"],
    "rules forecast": ["default", "--from", "1h"],
    "rules list": [],
    "rules withdraw": ["default"],
    "send": ["stripe", "--dry-run"],
    "sinks check": [],
    "sinks lag": [],
    "sinks list": [],
    "sinks migrate": [],
    "sinks rebuild": ["redis"],
    "sinks reconcile": ["redis"],
    "sources list": [],
    "sources remap": ["stripe", "--from", "1h", "--dry-run"],
    "tokens new": ["crm", "--tenant", "demo"],
}
"""What each command that takes --json is run with here."""

FILES = {
    "usage.csv": "company,when\nacme-1,2026-01-01T00:00:00Z\n",
    "map.yaml": """tenant: demo
tables:
  usage:
    files: [usage.csv]
    into: usage
    fields: {account_id: company, occurred_at: when, name: {value: Seen}}
""",
}
"""The files that these arguments name."""

UNUSED = {"sinks migrate"}
"""Commands that the sinks of this deployment don't have: they say so, with exit code 2."""

MORE = {
    "explain": [["acme-1", "--at", "0m"], ["acme-1", "--since", "1h"], ["nobody"]],
    "send": [["stripe", "--list"]],
}
ELSEWHERE = {"demo", "sources tail"}
"""Commands that start a deployment of their own (tests/e2e), or need a gateway (test_arrivals.py)."""


def with_json(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The commands that take --json, by name."""
    if isinstance(command, click.Group) or hasattr(command, "commands"):
        for name, sub in command.commands.items():
            yield from with_json(sub, (*path, name))
    elif any("--json" in parameter.opts for parameter in command.params):
        yield " ".join(path)


def test_every_command_that_takes_json_is_tried() -> None:
    assert set(with_json(get_command(app))) - ELSEWHERE == set(ARGUMENTS)


@pytest.fixture
def schemas() -> Iterator[Server]:
    with serving() as server:
        yield server


def test_standard_output_is_json_alone(
    bootstrap: Connection,
    redis_url: str,
    topics: Topics,
    schemas: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inbox = {"type": "inbox", "folder": str(tmp_path / "inbox")}
    environment = {
        "BELLBUOY_KAFKA__BOOTSTRAP": str(bootstrap),
        "BELLBUOY_KAFKA__TOPIC_PREFIX": topics.prefix,
        "BELLBUOY_KAFKA__PARTITIONS": str(topics.partitions),
        "BELLBUOY_KAFKA__REGISTRY_URL": f"http://127.0.0.1:{schemas.server_address[1]}/apis/ccompat/v7",
        "BELLBUOY_REDIS__URL": redis_url,
        "BELLBUOY_REDIS__PREFIX": topics.prefix,
        "BELLBUOY_LOG_LEVEL": "debug",
        "BELLBUOY_NOTIFY": json.dumps({"channels": {"desk": inbox}}),
    }
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    roles, producer = RoleProcesses(bootstrap, topics, tmp_path), InputProducer(bootstrap, topics)

    def answer(*arguments: str) -> tuple[int, Any]:
        done = run_forked(*arguments, "--json", env=os.environ | environment, folder=tmp_path)
        assert "Traceback" not in done.stderr, done.stderr
        assert done.stdout or done.returncode, (arguments, done.stderr)
        try:
            return done.returncode, json.loads(done.stdout) if done.stdout else None
        except json.JSONDecodeError:
            raise AssertionError(f"{arguments} printed {done.stdout[:300]!r}") from None

    try:
        for role in ("journal", "worker", "deliver"):
            roles.start(role)
        now = time.time_ns() // 1_000_000
        good = usage(1, "acme-1", now, tenant="demo")
        encode = codec("usage.events", registry(load())).encode
        producer.raw("usage.events", encode(good), account_key("demo", "acme-1"))
        producer.raw("usage.events", b"\0\0\0\0\x01broken", account_key("demo", "acme-1"))
        producer.flush()
        until(lambda: answer("explain", "acme-1")[0] == 0, seconds=300, what="a score")
        letters = answer("deadletters", "list")[1]["deadletters"]
        tried = {
            (*name.split(), *(text.format(letter=letters[0]["id"]) for text in arguments))
            for name, arguments in ARGUMENTS.items()
        }
        tried |= {(name, *arguments) for name, more in MORE.items() for arguments in more}
        codes = {arguments: answer(*arguments)[0] for arguments in sorted(tried)}
        unused = {arguments: code for arguments, code in codes.items() if code not in (0, 1)}
        assert dict.fromkeys(unused, 2) == unused, codes
        assert {" ".join(arguments[:2]) for arguments in unused} <= UNUSED, codes
        assert codes["explain", "acme-1"] == codes["replay", "--from", "1h"] == codes["check",] == 0

        monkeypatch.setitem(environment, "BELLBUOY_KAFKA__REGISTRY_URL", "http://127.0.0.1:9/none")
        code, listed = answer("deadletters", "list", "--limit", "1000")
        assert code == 0
        assert letters[0]["id"] in {letter["id"] for letter in listed["deadletters"]}
        code, shown = answer("deadletters", "show", letters[0]["id"])
        assert (code, shown["value_hex"]) == (0, b"\0\0\0\0\x01broken".hex())
    finally:
        roles.stop()
