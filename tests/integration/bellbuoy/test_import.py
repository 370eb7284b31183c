"""An import that is killed in its middle and started again counts every row once, and alerts nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bellbuoy.times import now
from schemas.connection import Connection
from schemas.times import DAY
from tests.support.changelog import read_topic
from tests.support.deployment import Deployment, deployed
from tests.support.product_source import ROOT
from tests.support.waiting import until

pytestmark = pytest.mark.services

ROWS = 20_000
ACCOUNTS = 40
MAP = ROOT / "docs/import-usage.yaml"


@pytest.fixture
def deployment(bootstrap: Connection, tmp_path: Path) -> Iterator[Deployment]:
    with deployed(bootstrap, tmp_path) as running:
        yield running


def test_a_killed_import_loses_and_doubles_nothing(deployment: Deployment, tmp_path: Path) -> None:
    """The accounts fell silent weeks ago, of which a rule would tell at once."""
    began = now() - now() % DAY
    deployment.tick(now())
    (tmp_path / "map.yaml").write_text(MAP.read_text())
    with (tmp_path / "usage.csv").open("w") as file:
        file.write("company,person,at\n")
        for row in range(ROWS):
            at = began - (30 + row * 40 // ROWS) * DAY + row
            file.write(f"c{row % ACCOUNTS},p{row % 7},{at}\n")
    command = [sys.executable, "-m", "bellbuoy", "import", "usage.csv", "--map", "map.yaml"]
    environment = os.environ | {
        "BELLBUOY_KAFKA__BOOTSTRAP": str(deployment.bootstrap),
        "BELLBUOY_KAFKA__TOPIC_PREFIX": deployment.topics.prefix,
        "BELLBUOY_KAFKA__PARTITIONS": str(deployment.topics.partitions),
    }
    progress = tmp_path / "map.yaml.progress"
    killed = subprocess.Popen(command, cwd=tmp_path, env=environment)
    until(progress.exists, what="the first chunk")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{ROWS:,} events of {ACCOUNTS} accounts" in done.stdout
    deployment.tick(now())
    until(lambda: events_in(deployment) >= ROWS, what="all rows")
    deployment.tick(now())
    assert events_in(deployment) == ROWS
    assert not list(read_topic(deployment.bootstrap, deployment.topics.name("risk.alerts"), 2))


def events_in(deployment: Deployment) -> int:
    """Return the usage events in the committed states of all accounts."""
    return sum(day.events for state in deployment.states().values() for day in state["usage"].days.values())
