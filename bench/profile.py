"""
Profile of journal and worker while they process a backlog, sampled by py-spy.

A sample counts for the innermost of our own functions on the stack, including the libraries that it calls;
waiting threads are left out. Attaching to a process may need root, or `kernel.yama.ptrace_scope` 0.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import time
from collections import Counter
from pathlib import Path

from bellbuoy.operations.kafka.ledger import applied_events
from bench.processes.broker import broker
from bench.processes.roles import MeasuredProcess, running_role
from bench.workload.load import fill

__all__ = ["profile"]

_OURS = re.compile(r"([^;()]+) \(((?:streams|processors|schemas)/\w+(?:/\w+)*)\.py")
_MIN_SHARE = 0.02


def profile(events: int, accounts: int) -> dict[str, Counter[str]]:
    """Return the number of samples by function, for the journal and the worker."""
    with broker() as (kafka, folder):
        load = fill(kafka.connection, events, accounts, seed=1)
        with (
            running_role("worker", load.connection, load.topics, folder) as worker,
            running_role("journal", load.connection, load.topics, folder) as journal,
        ):
            sampled = {"journal": _sample(journal, folder), "worker": _sample(worker, folder)}
            while applied_events(load.connection, load.topics) < events:
                time.sleep(0.1)
        return {role: _count(process, file) for role, (process, file) in sampled.items()}


def _sample(role: MeasuredProcess, folder: Path) -> tuple[subprocess.Popen[bytes], Path]:
    file = folder / f"{role.pid}.txt"
    command = ["py-spy", "record", "--pid", str(role.pid), "--rate", "100", "--format", "raw"]
    command += ["--output", str(file), "--full-filenames", "--nonblocking"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), file


def _count(process: subprocess.Popen[bytes], file: Path) -> Counter[str]:
    process.wait(30)  # it ends with the process that it samples
    samples: Counter[str] = Counter()
    for line in file.read_text().splitlines():
        stack, _, number = line.rpartition(" ")
        ours = _OURS.findall(re.sub(r"\(/\S*?((?:streams|processors|schemas)/)", r"(\1", stack))
        function, module = ours[-1] if ours else ("everything else", "")
        samples[f"{module}: {function}" if module else function] += int(number)
    return samples


def main() -> None:
    """Print the functions of each role by their share of the samples."""
    parser = argparse.ArgumentParser(prog="bench.profile", description="Where the time of events goes.")
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--accounts", type=int, default=10_000, help="accounts, by Zipf 0.8")
    chosen = parser.parse_args()
    for role, samples in profile(chosen.events, chosen.accounts).items():
        print(f"{role}, {samples.total():,} samples")
        for function, number in samples.most_common():
            if number >= _MIN_SHARE * samples.total():
                print(f"  {number / samples.total():6.1%}  {function}")


if __name__ == "__main__":
    main()
