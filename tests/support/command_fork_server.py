"""
Server that forks the command ``bellbuoy``: ``python -P -m tests.support.command_fork_server FD``.

It loads the product once and compiles what the journal compiles; a role or another command that it forks is
ready in a tenth of the time that a process of its own takes. Requests and answers are lines of JSON on the
socket FD: a request has a number, arguments, environment, folder and the files of both outputs, the answer
has the number and the process id, and a later line the number and the exit status. The server ends, and all
that it forked with it, when the other side closes the socket.
"""

from __future__ import annotations

import json
import os
import random
import selectors
import signal
import socket
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

from bellbuoy.cli.app import main
from bellbuoy.local.embedded.tether import PR_SET_PDEATHSIG, libc
from schemas.codec.registry import committed

_LOADED = (
    "bellbuoy.operations.roles",
    "streams.delivery.stage",
    "streams.journal.stage",
    "streams.worker.stage",
)


def load() -> None:
    """Load what roles load, and compile; raise AssertionError if that left threads, which no fork has."""
    for name in _LOADED:
        import_module(name)
    import_module("streams.journal.warm_up").warm_up(committed())
    threads = list(Path("/proc/self/task").iterdir())
    assert len(threads) == 1, f"{len(threads)} threads: {threading.enumerate()}"


def serve(requests: socket.socket) -> str:
    """Fork for each request; return the name of its command in the fork, and an empty string at the end."""
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    selector = selectors.DefaultSelector()
    selector.register(requests, selectors.EVENT_READ)
    selector.register(wake, selectors.EVENT_READ)
    received = b""
    numbers: dict[int, int] = {}
    while True:
        for key, _ in selector.select():
            if key.fileobj is requests:
                data = requests.recv(1 << 16)
                if not data:
                    return ""
                *lines, received = (received + data).split(b"\n")
                for line in lines:
                    request = json.loads(line)
                    pid = os.fork()
                    if pid == 0:
                        selector.close()
                        for descriptor in (wake, woken, requests.detach()):
                            os.close(descriptor)
                        return _become(request)
                    numbers[pid] = request["number"]
                    _send(requests, {"number": request["number"], "pid": pid})
            else:
                os.read(wake, 1 << 10)
                for pid, status in iter(_ended, None):
                    _send(requests, {"number": numbers.pop(pid), "status": os.waitstatus_to_exitcode(status)})


def _ended() -> tuple[int, int] | None:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def _send(requests: socket.socket, answer: dict[str, int]) -> None:
    requests.sendall(json.dumps(answer).encode() + b"\n")


def _become(request: dict[str, Any]) -> str:
    """Make this fork what a new process would be, and return its command."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    outputs = [os.open(request[name], append, 0o644) for name in ("stdout", "stderr")]
    for standard, descriptor in enumerate((os.open(os.devnull, os.O_RDONLY), *outputs)):
        os.dup2(descriptor, standard)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["env"])
    random.seed()
    sys.argv = ["bellbuoy", *request["arguments"]]
    return str(sys.argv[1])


if __name__ == "__main__":
    load()
    if serve(socket.socket(fileno=int(sys.argv[1]))):
        main()
