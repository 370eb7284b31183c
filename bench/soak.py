"""
Soak test: a steady load for minutes; memory must stay flat, nothing fall behind, each event count once.

Kafka, Redis, journal, worker and delivery run as in `bench.latency`; the memory of each process is read once
a second. Memory is flat when a process holds at the end at most a twentieth more than after the first
quarter.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench.picture import lines
from bench.processes.deployment import Deployment, deployed
from bench.workload.paced import Paced, sender

__all__ = ["SoakResult", "soak"]

_PRINT_SECONDS = 30.0
_MAX_GROWTH = 1.05
_OURS = ("journal", "worker", "deliver")


@dataclass(frozen=True, slots=True)
class SoakResult:
    """The events sent, and the megabytes of each process once a second."""

    paced: Paced
    minutes: list[float]
    megabytes: dict[str, list[float]]
    drained_seconds: float

    def growth(self, name: str) -> float:
        """Return the last tenth's mean memory, relative to that of the last tenth of the first quarter."""
        held = self.megabytes[name]
        tenth = max(1, len(held) // 10)
        quarter = held[: max(tenth, len(held) // 4)]
        return (sum(held[-tenth:]) / tenth) / (sum(quarter[-tenth:]) / tenth)

    @property
    def flat(self) -> bool:
        """Return whether none of our processes grew."""
        return all(self.growth(name) <= _MAX_GROWTH for name in _OURS)


def soak(rate: int, accounts: int, seconds: float, *, pack: bool = False) -> SoakResult:
    """Send at the rate, wait until all is applied; raise RuntimeError when an event is missing or doubled."""
    with deployed() as deployment:
        topic = deployment.topics.name("usage.events")
        with sender(deployment.connection, topic, rate, accounts, seconds, seed=1, pack=pack) as process:
            minutes, megabytes = _watch(deployment, process, rate)
            paced = Paced.read(process)
        began = time.monotonic()
        deployment.settle(paced.events)
        return SoakResult(paced, minutes, megabytes, time.monotonic() - began)


def _watch(
    deployment: Deployment, sending: subprocess.Popen[bytes], rate: int
) -> tuple[list[float], dict[str, list[float]]]:
    minutes: list[float] = []
    megabytes: dict[str, list[float]] = {name: [] for name in deployment.processes}
    began = printed = time.monotonic()
    while sending.poll() is None:
        past = time.monotonic() - began
        minutes.append(past / 60)
        for name, role in deployment.processes.items():
            megabytes[name].append(role.resident_bytes() / 1e6)
        if time.monotonic() - printed >= _PRINT_SECONDS:
            printed = time.monotonic()
            held = ", ".join(f"{name} {values[-1]:,.0f}" for name, values in megabytes.items())
            behind = past * rate - deployment.applied()
            print(f"{past:5.0f} s: about {max(0, behind):,.0f} events behind; MB: {held}", flush=True)
        time.sleep(max(0.0, 1 - (time.monotonic() - began - past)))
    return minutes, megabytes


def main() -> None:
    """Run the soak test, print and draw each process's memory; exit with 1 when a process of ours grew."""
    parser = argparse.ArgumentParser(prog="bench.soak", description="A steady load for minutes.")
    parser.add_argument("--rate", type=int, default=50_000, help="events a second")
    parser.add_argument("--accounts", type=int, default=1_000, help="accounts, equally busy")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--pack", action="store_true", help="send envelopes, as a packing producer does")
    parser.add_argument("--picture", type=Path, help="draw the memory to this SVG file")
    chosen = parser.parse_args()
    found = soak(chosen.rate, chosen.accounts, chosen.seconds, pack=chosen.pack)
    print(
        f"{found.paced.events:,} events, every one applied once; sender late by "
        f"{found.paced.worst_ms:,.0f} ms at most; the last was in Redis "
        f"{found.drained_seconds:.1f} s after it was sent"
    )
    for name, held in found.megabytes.items():
        print(
            f"{name:8} {min(held):7,.0f} to {max(held):7,.0f} MB, "
            f"{found.growth(name):.2f} times from the first quarter to the end"
        )
    if chosen.picture:
        title = f"Memory at {chosen.rate:,} events a second over {chosen.accounts:,} accounts"
        lines(chosen.picture, title, "minutes", "MB", found.minutes, found.megabytes)
    if not found.flat:
        sys.exit("memory grew")


if __name__ == "__main__":
    main()
