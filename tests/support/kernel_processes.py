"""Processes as the kernel sees them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def _stat(pid: int | str) -> tuple[str, int] | None:
    """The state letter and the parent; proc_pid_stat(5)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], int(fields[1])


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie doesn't."""
    found = _stat(pid)
    return found is not None and found[0] != "Z"


def children(pid: int) -> list[int]:
    """The processes started by *pid* and theirs, zombies left out."""
    stats = {int(entry.name): _stat(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    found = [child for child, stat in stats.items() if stat and stat[1] == pid and stat[0] != "Z"]
    return [*found, *(below for child in found for below in children(child))]


def eventually(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Return once *condition* holds; fail when it doesn't within *seconds*."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.05)
