"""Roles as processes of their own, and the processor time and memory that a process takes."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bellbuoy.local.role_process import RoleProcess
from bellbuoy.settings import load
from schemas.connection import Connection
from schemas.topics import Topics

__all__ = ["MeasuredProcess", "running_role"]


@dataclass(frozen=True, slots=True)
class MeasuredProcess:
    """A process to measure; ``url`` is where it answers ``/metrics`` (empty: nowhere)."""

    pid: int
    url: str = ""

    def cpu_seconds(self) -> float:
        """Return the processor time it has taken so far, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        """Return the memory it holds now."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def metric(self, name: str) -> float:
        """Return the sum of a metric's values, by the name it is exposed under."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as answer:  # noqa: S310 - a process of ours
            lines = answer.read().decode().splitlines()
        return sum(
            float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{"))
        )


@contextmanager
def running_role(
    role: str, connection: Connection, topics: Topics, folder: Path, **areas: dict[str, Any]
) -> Iterator[MeasuredProcess]:
    """
    Start a role, wait until it is ready, yield it, and stop it.

    *areas* are settings by area, such as ``redis={"url": …}``; the rest are defaults.
    """
    metrics = {area: {"metrics_port": 0} for area in ("journal", "worker", "delivery")}
    settings = load(
        kafka={"bootstrap": connection.bootstrap, "topic_prefix": topics.prefix},
        gateway={"port": 0},
        **metrics,
        **areas,
        data=folder,
        log_level="warning",
    )
    process = RoleProcess(role, settings, folder / f"{role}.log").start()
    try:
        process.wait_ready()
        yield MeasuredProcess(process.child.pid, process.url)
    finally:
        process.stop()
