"""A role forked from a process that has loaded the product, for tests that start many."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Self

from bellbuoy.local.embedded.child import Child
from bellbuoy.local.role_process import RoleProcess
from tests.support.product_source import ROOT


class ForkedRole(RoleProcess):
    """A role process that is forked (role_fork_server.py) instead of loading everything itself."""

    def start(self) -> Self:
        self.starts += 1
        self._child = ForkedChild(self.role, self.log, self._env)
        return self


class ForkedChild(Child):
    """A child whose parent is the fork server."""

    def __init__(self, role: str, log: Path, env: Mapping[str, str]) -> None:
        self.name, self.log, self._stop_signal = role, log, signal.SIGTERM
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log_start = log.stat().st_size if log.exists() else 0
        self._process: Any = _server().fork({"role": role, "env": dict(env), "log": str(log)})


class _Fork:
    """The part of ``subprocess.Popen`` that a child uses, for a process of the server's."""

    def __init__(self, pid: int, news: threading.Condition, ended: Mapping[int, int]) -> None:
        self.pid, self._news, self._ended = pid, news, ended

    def poll(self) -> int | None:
        with self._news:
            return self._ended.get(self.pid)

    def wait(self, timeout: float | None = None) -> int:
        with self._news:
            if not self._news.wait_for(lambda: self.pid in self._ended, timeout):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            return self._ended[self.pid]

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


class _ForkServer:
    def __init__(self) -> None:
        self._ended: dict[int, int] = {}
        self._pids: list[int] = []
        self._news = threading.Condition()
        self._requesting = threading.Lock()
        self._socket, theirs = socket.socketpair()
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-P", "-m", "tests.support.role_fork_server", str(theirs.fileno())]
        # It ends when this process does: the socket is closed then.
        self._process = subprocess.Popen(
            command, env=environment, pass_fds=[theirs.fileno()], start_new_session=True
        )
        theirs.close()
        threading.Thread(target=self._read, name="role forks", daemon=True).start()

    def fork(self, request: dict[str, Any]) -> _Fork:
        with self._requesting:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            with self._news:
                self._news.wait_for(lambda: self._pids or self._process.poll() is not None)
                assert self._pids, "the fork server ended"
                return _Fork(self._pids.pop(), self._news, self._ended)

    def _read(self) -> None:
        with suppress(ConnectionError):
            for line in self._socket.makefile("rb"):
                answer = json.loads(line)
                with self._news:
                    if "pid" in answer:
                        self._pids.append(answer["pid"])
                    else:
                        self._ended[answer["ended"]] = answer["status"]
                    self._news.notify_all()
        self._process.wait()
        with self._news:
            self._news.notify_all()


@cache
def _server() -> _ForkServer:
    return _ForkServer()
