"""A child process that logs to a file, stops in time and never outlives this process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

__all__ = ["Child", "ending", "stop_all"]

_LOG_BYTES = 20_000_000
"""Size of the log file of a server or role; a larger one is renamed at the next start."""

_TETHER = Path(__file__).with_name("tether.py")

# The kernel ends a tethered child when the *thread* that started it ends, so one thread, which
# lives as long as this process, starts them all.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="children")


class Child:
    """
    One child process, from its start on; its output is appended to ``log``.

    It has its own session, so that Ctrl-C in a terminal reaches only this process, which stops its
    children in order.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
        user: str = "",
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        """
        Start *command* with these file descriptors open, as *user* where root starts it.

        ``stop_signal`` asks it to end. Raises OSError when the log can't be written.
        """
        self.name = name
        self._stop_signal = stop_signal
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.replace(log.with_name(f"{log.name}.1"))
        with log.open("ab") as out:
            self._log_start = out.tell()
            self._process = _spawner.submit(
                subprocess.Popen,
                [sys.executable, "-I", "-S", _TETHER, str(os.getpid()), user, *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                start_new_session=True,
                pass_fds=pass_fds,
            ).result()

    @property
    def pid(self) -> int:
        """The process id, which stays the command's own."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code; negative for a signal; None while it runs."""
        return self._process.poll()

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process.poll() is None

    def terminate(self) -> None:
        """Ask the process to end; return at once."""
        if self.running:
            self._process.send_signal(self._stop_signal)

    def pause(self) -> None:
        """Keep the process from running until ``resume``, as a hung machine does; its sockets stay open."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process run on; harmless when it is not paused."""
        if self.running:
            os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End the process and all of its session, also when it is paused; return once it is gone."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def wait(self, seconds: float) -> bool:
        """Return whether the process ended within *seconds*."""
        try:
            self._process.wait(max(seconds, 0.0))
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, seconds: float = 5.0) -> None:
        """Terminate, and kill after *seconds*."""
        self.terminate()
        if not self.wait(seconds):
            self.kill()

    def tail(self, lines: int = 8) -> str:
        """Return the last lines that this process wrote to its log."""
        try:
            with self.log.open("rb") as out:
                out.seek(self._log_start)
                last = deque(out.read().decode(errors="replace").splitlines(), maxlen=lines)
        except OSError:
            return ""
        return "\n".join(last)


def stop_all(children: Sequence[Child], seconds: float = 5.0) -> None:
    """Terminate all processes at once, and after *seconds* kill those that still run."""
    for child in children:
        child.terminate()
    deadline = time.monotonic() + seconds
    for child in children:
        if not child.wait(deadline - time.monotonic()):
            child.kill()


def ending(returncode: int | None) -> str:
    """Return in words how a process ended."""
    if returncode is None:
        return "still runs"
    if returncode < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-returncode).name}"
    return f"exited with code {returncode}"
