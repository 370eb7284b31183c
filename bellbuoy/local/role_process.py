"""A role as a child process: started, asked whether it is ready, stopped or killed."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Self

from bellbuoy.errors import OperatorError
from bellbuoy.local.embedded.child import Child, ending
from bellbuoy.local.embedded.ports import free_port
from bellbuoy.local.environment import child_environment
from bellbuoy.local.ports import role_address, with_listener, with_role_port
from bellbuoy.settings import Settings
from schemas.readiness import decode_readiness

__all__ = ["COMMAND", "RoleNotReadyError", "RoleProcess"]

# -P: a folder named schemas/ in the working directory must not be imported instead of ours.
COMMAND: Sequence[str | Path] = (sys.executable, "-P", "-m", "bellbuoy")
"""The command that takes a role's name as its argument."""

_POLL_SECONDS = 0.02


class RoleNotReadyError(OperatorError):
    """
    A role did not become ready in time, or ended before; the message has the end of its log.

    Operator action: do what the log says and start again.
    """


class RoleProcess:
    """
    One role of a deployment as a child process, with these settings; it ends when this process does.

    A port 0 in the settings takes a free one, and keeps it when the role is started again. ``command`` is
    given the role's name; it may wrap ``COMMAND``. ``listener`` is the gateway's listening socket: it
    outlives the process, so that connections wait for the next one.
    """

    def __init__(
        self,
        role: str,
        settings: Settings,
        log: Path,
        *,
        command: Sequence[str | Path] = COMMAND,
        listener: socket.socket | None = None,
    ) -> None:
        host, port = role_address(settings, role)
        self.role = role
        self.host = "127.0.0.1" if host in ("0.0.0.0", "::", "localhost") else host
        self.port = listener.getsockname()[1] if listener is not None else port or free_port()
        self.log = log
        self.starts = 0
        own = with_role_port(settings, role, self.port)
        self._fds = () if listener is None else (listener.fileno(),)
        if listener is not None:
            own = with_listener(own, listener.fileno())
        self._env = child_environment(own)
        self._command = [*command, role]
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The address where the role answers HTTP."""
        return f"http://{self.host}:{self.port}"

    @property
    def child(self) -> Child:
        """The process of the last start, running or ended."""
        assert self._child is not None, f"the {self.role} was never started"
        return self._child

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._child is not None and self._child.running

    def start(self) -> Self:
        """Start the process, for the first time or again after its end; raise OSError."""
        self.starts += 1
        self._child = Child(self.role, self._command, self.log, self._env, self._fds)
        return self

    def stop(self, seconds: float = 15.0) -> int:
        """Ask the process to end, kill it after *seconds*, and return its exit code."""
        self.child.stop(seconds)
        code = self.child.returncode
        assert code is not None
        return code

    def kill(self) -> None:
        """End the process as ``kill -9`` does, also a paused one; return once it is gone."""
        self.child.kill()

    def unready(self) -> str:
        """Return what the role still waits for; an empty string when it is ready."""
        if not self.running:
            return f"it {ending(self.child.returncode)}"
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

    def wait_ready(self, seconds: float = 180.0) -> None:
        """Return once the role is ready; raise RoleNotReadyError when it ends, or after *seconds*."""
        deadline = time.monotonic() + seconds
        while why := self.unready():
            if not self.running or time.monotonic() > deadline:
                raise RoleNotReadyError(
                    f"the {self.role} isn't ready after {seconds:.0f} s: {why}; "
                    f"its log {self.log} ends with:\n{self.child.tail()}"
                )
            time.sleep(_POLL_SECONDS)
