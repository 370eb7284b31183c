"""Processes as the kernel lists them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.support.waiting import until


def alive(pid: int) -> bool:
    """Return whether the process runs; a zombie doesn't."""
    stat = _stat(pid)
    return stat is not None and stat[0] != "Z"


def children(pid: int) -> list[int]:
    """Return the processes started by *pid*, and by those, without zombies."""
    stats = {int(entry.name): _stat(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    own = [child for child, stat in stats.items() if stat and stat[1] == pid and stat[0] != "Z"]
    return [*own, *(below for child in own for below in children(child))]


def suspend(pid: int) -> None:
    """Stop a process with SIGSTOP; return when none of its threads runs any more."""
    os.kill(pid, signal.SIGSTOP)
    threads = Path(f"/proc/{pid}/task")
    until(
        lambda: {stat[0] for thread in threads.iterdir() if (stat := _stat(thread.name))} <= {"T"},
        what="the stop of every thread",
    )


def _stat(pid: int | str) -> tuple[str, int] | None:
    """Return the state's letter and the parent; proc_pid_stat(5)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0], int(fields[1])
