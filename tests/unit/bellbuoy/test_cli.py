from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bellbuoy.cli.app import app
from bellbuoy.cli.options import parse_past_time
from bellbuoy.local.embedded.ports import free_port
from bellbuoy.settings import load
from bellbuoy.times import now
from schemas.times import DAY, iso


def bellbuoy(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BELLBUOY_")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "bellbuoy", *arguments],
        cwd=cwd,
        env={**clean, "COLUMNS": "200", **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_names_every_command_and_exit_code(tmp_path: Path) -> None:
    done = bellbuoy("--help", cwd=tmp_path)

    assert done.returncode == 0
    for word in (
        "up",
        "gateway",
        "journal",
        "worker",
        "deliver",
        "console",
        "topics",
        "check",
        "portfolio",
        "69",
        "70",
    ):
        assert word in done.stdout


HEAVY = {"rich", "structlog", "msgspec", "numpy", "redis", "confluent_kafka", "fastavro", "pydantic_settings"}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], ["explain", "--help"], ["deadletters", "list", "-h"]]
)
def test_help_loads_nothing_that_only_work_needs(arguments: list[str], tmp_path: Path) -> None:
    script = (
        "import atexit, sys; from bellbuoy.cli.app import main;"
        "atexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr));"
        f"sys.argv = ['bellbuoy', *{arguments!r}]; main()"
    )

    done = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0
    assert "Usage: bellbuoy" in done.stdout
    loaded = set(done.stderr.split())
    assert HEAVY & loaded == set()
    others = {
        "bellbuoy.cli.deployment.simulate",
        "bellbuoy.cli.deployment.replay",
        "bellbuoy.cli.deployment.up",
    }
    assert not others & loaded or arguments[0].startswith("-"), "a command loads only its own module"


def test_help_lists_the_commands_by_panel_each_with_a_whole_sentence(tmp_path: Path) -> None:
    said = bellbuoy("-h", cwd=tmp_path).stdout

    panels = ["Start here:", "Customers:", "Roles, each a process:", "Operation:"]
    assert [line for line in said.splitlines() if line in panels] == panels
    assert "  topics       Create, check and list the Kafka topics.\n" in said


def test_the_help_of_every_command_has_an_example_of_it_and_its_exit_codes() -> None:
    script = (
        "import json, typer; from bellbuoy.cli.app import app; from bellbuoy.cli.commands import PANELS\n"
        "def walk(command, path):\n"
        "    inner = getattr(command, 'commands', None)\n"
        "    names = [n for p in PANELS.values() for n in p] if len(path) == 1 else list(inner or ())\n"
        "    if inner is None:\n"
        "        context = typer.Context(command, info_name=' '.join(path))\n"
        "        named = [p.metavar or '' for p in command.params if p.param_type_name == 'argument']\n"
        "        yield ' '.join(path), command.get_help(context), named\n"
        "    for name in names:\n"
        "        yield from walk(inner[name], (*path, name))\n"
        "print(json.dumps(list(walk(typer.main.get_command(app), ('bellbuoy',)))))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    commands = json.loads(done.stdout)

    assert len(commands) > 70
    for command, said, arguments in commands:
        examples = said.partition("Example")[2]
        name = "bellbuoy rebuild" if command == "bellbuoy sinks rebuild" else command
        assert name.removeprefix("bellbuoy") in examples, command
        assert "Exit codes" in said, command
        assert all(argument.rpartition(".")[0] or argument == argument.upper() for argument in arguments)


def test_version(tmp_path: Path) -> None:
    assert bellbuoy("--version", cwd=tmp_path).stdout.startswith("bellbuoy ")


@pytest.mark.parametrize("arguments", [["nonsense"], ["up", "--nonsense"], ["topics", "nonsense"]])
def test_a_usage_error_exits_2(arguments: list[str], tmp_path: Path) -> None:
    done = bellbuoy(*arguments, cwd=tmp_path)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [["check"], ["up"], ["gateway"], ["journal"], ["topics", "list"]])
def test_bad_settings_exit_2_with_every_fault(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "bellbuoy.toml").write_text("[kafka]\npartitions = 0\n[gatewy]\nport = 1\n")

    done = bellbuoy(*command, cwd=tmp_path, BELLBUOY_GATEWAY__PORT="many")

    assert done.returncode == 2
    assert "kafka.partitions" in done.stderr
    assert "gatewy" in done.stderr
    assert "gateway.port" in done.stderr
    assert "Traceback" not in done.stderr


def test_broken_toml_and_a_missing_file_exit_2(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("kafka = ")

    broken = bellbuoy("--config", "broken.toml", "check", cwd=tmp_path)
    missing = bellbuoy("--config", "missing.toml", "check", cwd=tmp_path)

    assert (broken.returncode, missing.returncode) == (2, 2)
    assert "broken.toml: not TOML" in broken.stderr
    assert "missing.toml, which is not a file" in missing.stderr


def test_check_names_every_server_that_is_away(tmp_path: Path) -> None:
    kafka, redis = free_port(), free_port()

    done = bellbuoy(
        "check",
        "--json",
        cwd=tmp_path,
        BELLBUOY_KAFKA__BOOTSTRAP=f"127.0.0.1:{kafka}",
        BELLBUOY_REDIS__URL=f"redis://127.0.0.1:{redis}/0",
    )

    assert done.returncode == 69
    answer = json.loads(done.stdout)
    assert answer["ok"] is False
    assert [fault["area"] for fault in answer["faults"]] == ["kafka", "redis"]


@pytest.mark.parametrize("role", ["gateway", "journal", "worker", "deliver"])
def test_a_role_without_kafka_exits_69(role: str, tmp_path: Path) -> None:
    bootstrap = f"127.0.0.1:{free_port()}"

    done = bellbuoy(role, cwd=tmp_path, BELLBUOY_KAFKA__BOOTSTRAP=bootstrap)

    assert done.returncode == 69
    assert done.stderr.startswith(f"bellbuoy: Kafka doesn't answer on {bootstrap}")
    assert "BELLBUOY_KAFKA__BOOTSTRAP" in done.stderr


def test_a_stray_folder_does_not_shadow_our_packages(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "__init__.py").write_text("raise RuntimeError('not ours')")

    assert bellbuoy("--version", cwd=tmp_path).returncode == 0


def test_a_stranger_in_place_of_a_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "sinks").mkdir()
    (tmp_path / "sinks" / "__init__.py").touch()
    script = (
        "import bellbuoy.settings, sys; sys.modules.pop('sinks', 0); sys.path.insert(0, '.');"
        "from bellbuoy.cli.app import main; sys.argv = ['bellbuoy', 'check']; main()"
    )

    done = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert str(tmp_path / "sinks") in done.stderr


def test_an_unexpected_error_is_one_line_and_exits_70(tmp_path: Path) -> None:
    script = (
        "import sys, bellbuoy.settings; from bellbuoy.cli.app import main;"
        "bellbuoy.settings.load = lambda: 1 / 0; sys.argv = ['bellbuoy', 'check']; main()"
    )
    command = [sys.executable, "-P", "-c", script]

    quiet = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    loud = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "BELLBUOY_LOG_LEVEL": "debug"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert quiet.returncode == 70
    assert "internal error: ZeroDivisionError" in quiet.stderr
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in loud.stderr


def test_rebuild_without_kafka_exits_69(tmp_path: Path) -> None:
    kafka = {"BELLBUOY_KAFKA__BOOTSTRAP": f"127.0.0.1:{free_port()}"}

    away = bellbuoy("rebuild", "redis", cwd=tmp_path, **kafka)
    teaching = bellbuoy("rebuild", "--help", cwd=tmp_path)

    assert away.returncode == 69
    assert "Kafka doesn't answer" in away.stderr
    assert "bellbuoy rebuild redis --dry-run" in teaching.stdout


def test_the_past_without_kafka_exits_69(tmp_path: Path) -> None:
    kafka = {"BELLBUOY_KAFKA__BOOTSTRAP": f"127.0.0.1:{free_port()}"}

    away = bellbuoy("explain", "acme", "--since", "7d", cwd=tmp_path, **kafka)
    teaching = bellbuoy("explain", "--help", cwd=tmp_path)

    assert away.returncode == 69
    assert "Kafka doesn't answer" in away.stderr
    assert "bellbuoy explain amber-harbour-foods --since 7d" in teaching.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("explain", "acme", "--since", "1d", "--at", "2d"),
        ("replay", "--from", "1d", "--to", "2d"),
        ("deadletters", "list", "--since", "1d", "--until", "2d"),
    ],
)
def test_a_range_that_ends_before_it_begins_is_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    kafka = {"BELLBUOY_KAFKA__BOOTSTRAP": f"127.0.0.1:{free_port()}"}

    refused = bellbuoy(*arguments, cwd=tmp_path, **kafka)

    assert refused.returncode == 2
    assert f"Invalid value for {arguments[-4]}, {arguments[-2]}: the range ends" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("explain", "acme", "--at"), "--at"),
        (("explain", "acme", "--since"), "--since"),
        (("replay", "--from"), "--from"),
        (("replay", "--from", "7d", "--to"), "--to"),
        (("rules", "list", "--from"), "--from"),
        (("rules", "forecast", "default", "--from"), "--from"),
        (("sources", "remap", "stripe", "--from"), "--from"),
        (("deadletters", "list", "--since"), "--since"),
        (("deadletters", "redrive", "--since"), "--since"),
        (("deadletters", "repair", "--since"), "--since"),
    ],
)
def test_a_past_time_in_the_future_is_refused(
    arguments: tuple[str, ...], option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bellbuoy.operations.kafka.topics.require_topics", lambda _: None)
    monkeypatch.setenv("COLUMNS", "200")
    tomorrow = iso(now() + DAY)

    answer = CliRunner().invoke(app, [*arguments, tomorrow])

    assert answer.exit_code == 2
    assert f"Invalid value for {option}: '{tomorrow}' is in the future: give a time up to" in answer.stderr


def test_the_journal_of_a_simulation_may_be_ahead_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = now() + 7 * DAY
    monkeypatch.setattr("bellbuoy.operations.kafka.journal_time.journal_time", lambda _: ahead)

    assert parse_past_time(iso(ahead), load(), "--at") == ahead
    with pytest.raises(typer.BadParameter, match="in the future"):
        parse_past_time(iso(ahead + 1), load(), "--at")


def test_the_portfolio_teaches_with_examples(tmp_path: Path) -> None:
    teaching = bellbuoy("portfolio", "--help", cwd=tmp_path)

    assert teaching.returncode == 0
    assert "bellbuoy portfolio --segment mid-market --json" in teaching.stdout
