"""One role under supervision: when it is started again, and when that is given up."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from bellbuoy.exit_codes import CONFIGURATION
from bellbuoy.local.embedded.child import Child, signal_name
from schemas.readiness import decode_readiness

__all__ = ["Restarts", "RoleProcess"]


class Restarts:
    """Allow ``most`` deaths within ``window`` seconds, with a pause before each new start that doubles."""

    def __init__(self, most: int = 5, window: float = 60.0, first: float = 0.2, longest: float = 5.0) -> None:
        self._most = most
        self._window = window
        self._first = first
        self._longest = longest
        self._deaths: deque[float] = deque()

    def died(self, now: float) -> float | None:
        """Note a death at *now* (any clock, in seconds); return the pause, or None to give up."""
        self._deaths.append(now)
        while self._deaths[0] <= now - self._window:
            self._deaths.popleft()
        if len(self._deaths) > self._most:
            return None
        return min(self._first * 2.0 ** (len(self._deaths) - 1), self._longest)


class RoleProcess:
    """A role as a child process; ``host`` and ``port`` answer ``/readyz``."""

    def __init__(self, name: str, host: str, port: int, log: Path, env: Mapping[str, str]) -> None:
        self.name = name
        self.host = "127.0.0.1" if host in ("0.0.0.0", "::", "localhost") else host
        self.port = port
        self.log = log
        self.starts = 0
        self._env = env
        self._restarts = Restarts()
        self._due: float | None = None
        self.child = self._spawn()

    @property
    def url(self) -> str:
        """Where the role answers HTTP."""
        return f"http://{self.host}:{self.port}"

    def _spawn(self) -> Child:
        self.starts += 1
        # -P: a folder named schemas/ in the working directory must not be imported instead of ours.
        return Child(self.name, [sys.executable, "-P", "-m", "bellbuoy", self.name], self.log, self._env)

    def tend(self, now: float) -> str | None:
        """Start the role again when it is dead and its pause is over; return why when that is given up."""
        if self._due is not None:
            if now >= self._due:
                self._due = None
                self.child = self._spawn()
            return None
        code = self.child.returncode
        if code is None:
            return None
        # A role that refuses its settings would refuse them again.
        pause = None if code == CONFIGURATION else self._restarts.died(now)
        if pause is None:
            often = "" if code == CONFIGURATION else " more than 5 times within 60 s, the last time it"
            return (
                f"{self.name}{often} {signal_name(code)}; its log {self.log} ends with:\n{self.child.tail()}"
            )
        self._due = now + pause
        return None

    def unready(self) -> str:
        """Return what the role still waits for; empty when it is ready."""
        if not self.child.running:
            return f"it {signal_name(self.child.returncode)}"
        connection = HTTPConnection(self.host, self.port, timeout=2.0)
        try:
            connection.request("GET", "/readyz")
            response = connection.getresponse()
            body = response.read()
            if response.status == 200:
                return ""
            failing = decode_readiness(body).failing
            return ", ".join(f"{name}: {reason}" for name, reason in failing.items())
        except (OSError, HTTPException, ValueError):
            return "it doesn't answer yet"
        finally:
            connection.close()

    def wait_ready(self, seconds: float) -> bool:
        """Return whether the role became ready within *seconds*."""
        deadline = time.monotonic() + seconds
        while self.unready():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True
