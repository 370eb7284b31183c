"""
A large import that is killed again and again, and what the states hold of it in the end.

``python -m chaos.imports`` writes a file of a million rows, of which some are bad, imports it into a running
deployment, kills the command at even distances, and compares the events in all states with the rows that are
good, and the lines that the command names with those of the bad ones.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bellbuoy.operations.kafka.ledger import read_positions
from bellbuoy.simulator.run.clock import SimulationClock
from bellbuoy.times import now
from chaos.cluster import Cluster
from chaos.final_state import account_states
from schemas.times import DAY, iso

__all__ = ["main"]

_MAP = Path(__file__).parents[1] / "docs/import-usage.yaml"
_BAD_EVERY = 100_000
"""One row of so many has a time that is none."""

_STILL_SECONDS = 120.0
"""Without a change for so long, nothing more comes."""


def main() -> None:
    """Run it; the last line printed is JSON, the exit code is 1 when anything was lost or counted twice."""
    parser = argparse.ArgumentParser(prog="chaos.imports", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the file (%(default)s)")
    parser.add_argument("--accounts", type=int, default=1_000, help="accounts they are of (%(default)s)")
    parser.add_argument("--kills", type=int, default=3, help="how often the command is killed (%(default)s)")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bellbuoy-import-") as folder:
        result = _run(Path(folder), chosen.rows, chosen.accounts, chosen.kills)
    print(json.dumps(result))
    sys.exit(0 if result["exact"] else 1)


def _run(folder: Path, rows: int, accounts: int, kills: int) -> dict[str, object]:
    bad = _write(folder, rows, accounts)
    with Cluster(folder / "cluster") as cluster:
        clock = SimulationClock(cluster.kafka_cluster)
        clock.tick(now())
        began = time.monotonic()
        killed_at = [_import(folder, cluster, rows * number // (kills + 1)) for number in range(1, kills + 1)]
        _import(folder, cluster, None)
        seconds = time.monotonic() - began
        found = _bad_lines(folder)
        events = _drained(cluster, clock, rows - len(bad))
        positions = read_positions(cluster.connection, cluster.topics)
        duplicates = sum(position.duplicates for position in positions.values())
    return {
        "rows": rows,
        "bad rows": len(bad),
        "bad rows named with their lines": found == bad,
        "killed at rows": killed_at,
        "seconds": round(seconds, 1),
        "events in states": events,
        "repetitions dropped by the journal": duplicates,
        "exact": found == bad and events == rows - len(bad),
    }


def _write(folder: Path, rows: int, accounts: int) -> list[int]:
    """Write the file and its mapping, and return the lines of the rows that are bad."""
    (folder / "map.yaml").write_text(_MAP.read_text())
    began, bad = now() - now() % DAY - 60 * DAY, []
    with (folder / "usage.csv").open("w") as file:
        file.write("company,person,at\n")
        for row in range(rows):
            at = str(began + row * 50 * DAY // rows)
            if row % _BAD_EVERY == _BAD_EVERY // 2:
                at = iso(int(at))  # not the milliseconds that the mapping says
                bad.append(row + 2)
            file.write(f"c{row % accounts},p{row % 7},{at}\n")
    return bad


def _import(folder: Path, cluster: Cluster, until: int | None) -> int:
    """Run the import to its end, or kill it once so many rows are sent; return how many were."""
    command = [sys.executable, "-m", "bellbuoy", "import", "usage.csv", "--map", "map.yaml"]
    command += ["--bad-rows", "bad.txt"]
    with (folder / "import.log").open("a") as log:
        process = subprocess.Popen(command, cwd=folder, env=cluster.environment, stdout=log, stderr=log)
        while until is not None and process.poll() is None and _sent(folder) < until:
            time.sleep(0.05)
        if until is not None:
            process.kill()
        process.wait()
    print(f"{_sent(folder):,} rows sent; the command {'was killed' if until else 'ended'}", flush=True)
    return _sent(folder)


def _sent(folder: Path) -> int:
    try:
        return sum(json.loads((folder / "map.yaml.progress").read_text()).values())
    except FileNotFoundError:
        return 0


def _bad_lines(folder: Path) -> list[int]:
    return [int(line.split(":", 2)[1]) for line in (folder / "bad.txt").read_text().splitlines()]


def _drained(cluster: Cluster, clock: SimulationClock, wanted: int) -> int:
    """Return the usage events in all states, once there are as many as wanted or nothing more comes."""
    events, changed = 0, time.monotonic()
    while events < wanted and time.monotonic() - changed < _STILL_SECONDS:
        clock.tick(now())
        time.sleep(2.0)
        before, events = events, _events(cluster)
        if events != before:
            changed = time.monotonic()
    clock.tick(now())
    time.sleep(2.0)  # for one too many
    return _events(cluster)


def _events(cluster: Cluster) -> int:
    states = account_states(cluster).values()
    return sum(day.events for state in states for day in state.usage.days.values())


if __name__ == "__main__":
    main()
