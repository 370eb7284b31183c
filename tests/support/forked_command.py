"""The command ``bellbuoy`` forked from a process that has loaded the product, for tests that run many."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.product_source import ROOT


def run_forked(
    *arguments: str, env: Mapping[str, str], folder: Path, seconds: float = 300.0
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder to its end, as ``subprocess.run`` does, and return what it printed."""
    with TemporaryDirectory() as outputs:
        stdout, stderr = Path(outputs) / "stdout", Path(outputs) / "stderr"
        code = fork(arguments, env, stdout=stdout, stderr=stderr, folder=folder).wait(seconds)
        return subprocess.CompletedProcess(arguments, code, stdout.read_text(), stderr.read_text())


def fork(
    arguments: Sequence[str], env: Mapping[str, str], *, stdout: Path, stderr: Path, folder: Path
) -> Fork:
    """Start a command, its outputs appended to these files."""
    request = {"arguments": list(arguments), "env": dict(env), "folder": str(folder)}
    return _server().fork({**request, "stdout": str(stdout), "stderr": str(stderr)})


class Fork:
    """The part of ``subprocess.Popen`` that tests use, for a process of the server's."""

    def __init__(self, pid: int, number: int, news: threading.Condition, ended: Mapping[int, int]) -> None:
        self.pid, self._number, self._news, self._ended = pid, number, news, ended

    def poll(self) -> int | None:
        with self._news:
            return self._ended.get(self._number)

    def wait(self, timeout: float | None = None) -> int:
        with self._news:
            if not self._news.wait_for(lambda: self._number in self._ended, timeout):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            return self._ended[self._number]

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


class _ForkServer:
    def __init__(self) -> None:
        # By the request's number: the system gives the id of a process that ended to another one.
        self._pids: dict[int, int] = {}
        self._ended: dict[int, int] = {}
        self._numbers = itertools.count()
        self._news = threading.Condition()
        self._requesting = threading.Lock()
        self._socket, theirs = socket.socketpair()
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-P", "-m", "tests.support.command_fork_server", str(theirs.fileno())]
        # It ends when this process does: the socket is closed then.
        self._process = subprocess.Popen(
            command, env=environment, pass_fds=[theirs.fileno()], start_new_session=True
        )
        theirs.close()
        threading.Thread(target=self._read, name="command forks", daemon=True).start()

    def fork(self, request: Mapping[str, Any]) -> Fork:
        number = next(self._numbers)
        with self._requesting:
            self._socket.sendall(json.dumps({**request, "number": number}).encode() + b"\n")
        with self._news:
            self._news.wait_for(lambda: number in self._pids or self._process.poll() is not None)
            assert number in self._pids, "the fork server ended"
            return Fork(self._pids[number], number, self._news, self._ended)

    def _read(self) -> None:
        with suppress(ConnectionError):
            for line in self._socket.makefile("rb"):
                answer = json.loads(line)
                with self._news:
                    if "pid" in answer:
                        self._pids[answer["number"]] = answer["pid"]
                    else:
                        self._ended[answer["number"]] = answer["status"]
                    self._news.notify_all()
        self._process.wait()
        with self._news:
            self._news.notify_all()


@cache
def _server() -> _ForkServer:
    return _ForkServer()
