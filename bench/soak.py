"""
Send a steady load for minutes, to see memory flat, nothing behind and every event counted once.

Kafka, Redis, journal, worker and delivery run as in `bench.latency`; once a second the memory of each
process is taken. It is flat when what a process holds at the end is what it held after the first quarter,
but for a twentieth.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench.deployment import Deployment, deployed
from bench.paced import Paced, sender
from bench.picture import lines

__all__ = ["Soaked", "soak"]

_TELL_SECONDS = 30.0
_FLAT = 1.05
_OURS = ("journal", "worker", "deliver")


@dataclass(frozen=True, slots=True)
class Soaked:
    """What was sent, and the megabytes of each process once a second."""

    paced: Paced
    minutes: list[float]
    megabytes: dict[str, list[float]]
    drained_seconds: float

    def growth(self, name: str) -> float:
        """Return the last tenth's memory over the last tenth's of the first quarter."""
        held = self.megabytes[name]
        tenth = max(1, len(held) // 10)
        quarter = held[: max(tenth, len(held) // 4)]
        return (sum(held[-tenth:]) / tenth) / (sum(quarter[-tenth:]) / tenth)

    @property
    def flat(self) -> bool:
        """Tell whether none of our processes grew."""
        return all(self.growth(name) <= _FLAT for name in _OURS)


def soak(rate: int, accounts: int, seconds: float, *, pack: bool = False) -> Soaked:
    """Send at the rate, then wait until all is applied; RuntimeError if an event is missing or doubled."""
    with deployed() as deployment:
        topic = deployment.topics.name("usage.events")
        with sender(deployment.bootstrap, topic, rate, accounts, seconds, seed=1, pack=pack) as process:
            minutes, megabytes = _watch(deployment, process, rate)
            paced = Paced.read(process)
        began = time.monotonic()
        deployment.settle(paced.events)
        return Soaked(paced, minutes, megabytes, time.monotonic() - began)


def _watch(
    deployment: Deployment, sending: subprocess.Popen[bytes], rate: int
) -> tuple[list[float], dict[str, list[float]]]:
    minutes: list[float] = []
    megabytes: dict[str, list[float]] = {name: [] for name in deployment.roles}
    began = told = time.monotonic()
    while sending.poll() is None:
        past = time.monotonic() - began
        minutes.append(past / 60)
        for name, role in deployment.roles.items():
            megabytes[name].append(role.resident_bytes() / 1e6)
        if time.monotonic() - told >= _TELL_SECONDS:
            told = time.monotonic()
            held = ", ".join(f"{name} {values[-1]:,.0f}" for name, values in megabytes.items())
            behind = past * rate - deployment.applied()
            print(f"{past:5.0f} s: about {max(0, behind):,.0f} events behind; MB: {held}", flush=True)
        time.sleep(max(0.0, 1 - (time.monotonic() - began - past)))
    return minutes, megabytes


def main() -> None:
    """Soak, print what each process held, draw it; exit code 1 when a process of ours grew."""
    parser = argparse.ArgumentParser(prog="bench.soak", description="A steady load for minutes.")
    parser.add_argument("--rate", type=int, default=50_000, help="events a second")
    parser.add_argument("--accounts", type=int, default=1_000, help="accounts, equally busy")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--pack", action="store_true", help="send envelopes, as a packing producer does")
    parser.add_argument("--picture", type=Path, help="an SVG file to draw memory into")
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
