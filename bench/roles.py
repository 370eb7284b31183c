"""The product's roles as processes of their own, and the processor time they take."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bellbuoy.local.embedded.ports import free_port
from bellbuoy.operations.roles import PORT_VARIABLES
from schemas.topics import Topics

__all__ = ["Role", "running"]

_READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Role:
    """A process, and the port where it tells its metrics (0: it has none)."""

    pid: int
    port: int = 0

    def cpu_seconds(self) -> float:
        """Return the processor time it has taken so far, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        """Return the memory it holds now."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def metric(self, name: str) -> float:
        """Return the value of one of its metrics, by the name it is exposed under."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return sum(
            float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{"))
        )


@contextmanager
def running(
    role: str, bootstrap: str, topics: Topics, folder: Path, settings: Mapping[str, str] | None = None
) -> Iterator[Role]:
    """Start a role, wait until it is ready, yield it, and stop it."""
    port = free_port()
    given = {
        "BELLBUOY_KAFKA__BOOTSTRAP": bootstrap,
        "BELLBUOY_KAFKA__TOPIC_PREFIX": topics.prefix,
        PORT_VARIABLES[role]: str(port),
        "BELLBUOY_DATA": str(folder),
        "BELLBUOY_LOG_LEVEL": "warning",
    }
    environment = os.environ | given | dict(settings or {})
    process = subprocess.Popen([sys.executable, "-m", "bellbuoy", role], env=environment)
    try:
        deadline = time.monotonic() + _READY_SECONDS
        while not _ready(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the {role} did not become ready; see its messages above")
            time.sleep(0.005)
        yield Role(process.pid, port)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
