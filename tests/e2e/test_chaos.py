"""The short form of `make chaos`: the real stack, broken on schedule, ends as if nothing had happened."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(840)]


def test_broken_on_schedule_everything_is_as_if_nothing_had_been() -> None:
    command = [
        sys.executable,
        "-m",
        "chaos",
        "--short",
        "--seed",
        "7",
        "--events",
        "150000",
        "--accounts",
        "100",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    said = f"{done.stdout}{done.stderr}"
    assert done.returncode == 0, said
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["events"] >= 100_000
    assert summary["faults"] == 9, said
    assert (summary["lost"], summary["doubled"]) == (0, 0)
    assert summary["state_equal"]
    assert summary["alerts_equal"]
    assert summary["told_right"]
    assert summary["sink_equal"]
    assert summary["letters_equal"]
