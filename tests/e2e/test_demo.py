"""`bellbuoy demo --seconds --json`: one line that accounts for every event, twice on the same data."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

FIELDS = [
    "events_in",
    "applied",
    "duplicates",
    "dead_letters",
    "accounts_scored",
    "alerts_opened",
    "alerts_resolved",
    "latency_p50_ms",
    "latency_p99_ms",
]


def demo(data: Path, seconds: int):
    free = {
        "BELLBUOY_KAFKA__BOOTSTRAP": "127.0.0.1:0",
        "BELLBUOY_REDIS__URL": "redis://127.0.0.1:0/0",
        "BELLBUOY_GATEWAY__PORT": "0",
        "BELLBUOY_JOURNAL__METRICS_PORT": "0",
        "BELLBUOY_WORKER__METRICS_PORT": "0",
        "BELLBUOY_DELIVERY__METRICS_PORT": "0",
    }
    command = [sys.executable, "-P", "-m", "bellbuoy", "demo", "--json"]
    result = subprocess.run(
        [*command, "--seconds", str(seconds), "--data", str(data)],
        env={**os.environ, **free},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("\n") == 1, result.stdout
    return json.loads(result.stdout), result.stderr


def balanced(report):
    dead = sum(report["dead_letters"].values())
    return report["applied"] + report["duplicates"] + dead == report["events_in"]


@pytest.mark.timeout(600)
def test_every_event_is_accounted_for_also_when_the_demo_goes_on_with_its_data(tmp_path):
    first, _ = demo(tmp_path / "data", 25)

    assert list(first) == FIELDS
    assert balanced(first), first
    assert first["events_in"] > 1_000
    assert first["duplicates"] > 0
    assert first["accounts_scored"] > 100
    assert first["alerts_opened"] >= first["alerts_resolved"]
    assert first["alerts_opened"] > 0
    assert set(first["dead_letters"]) <= {"invalid", "unresolved_account", "too_late", "from_future"}
    assert 0 < first["latency_p50_ms"] <= first["latency_p99_ms"]

    second, said = demo(tmp_path / "data", 10)

    assert "time never goes back" in said
    assert balanced(second), second
    assert second["events_in"] < 20 * first["events_in"]
