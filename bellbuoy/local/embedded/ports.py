"""Functions for TCP ports on this machine."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import socket
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from bellbuoy.local.embedded.errors import EmbeddedError, PortTakenError

__all__ = ["HOST", "claim", "free_port"]

HOST = "127.0.0.1"
_SERVER_PORTS = range(20_000, 32_000)
_ATTEMPTS = 1_000


_reserved: set[int] = set()
"""The ports that this process was given."""


def free_port() -> int:
    """
    Return a port on which nothing listens now, of those that no system gives to connections.

    A port that the system itself would choose may be a connection's before the server that it is meant for
    has started. No other process of this user is given the same port before this one ends, so a server that
    is started again finds its port free. Raises EmbeddedError.
    """
    _reservations()
    for attempt in range(_ATTEMPTS):
        port = secrets.choice(_SERVER_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            if _reserve(port) or (attempt >= _ATTEMPTS // 2 and port in _reserved):
                return port
    raise EmbeddedError(f"no port from {_SERVER_PORTS[0]} to {_SERVER_PORTS[-1]} is free on {HOST}")


def _reserve(port: int) -> bool:
    """Reserve a port until this process ends; return whether nobody had it, this process included."""
    if port in _reserved:
        return False
    fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    _reserved.add(port)
    return True


@cache
def _reservations() -> int:
    """Return the descriptor of this user's file, in which a locked byte is a reserved port; it stays open."""
    path = Path(tempfile.gettempdir(), f"bellbuoy-ports-{os.getuid()}")
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EmbeddedError(
            f"ports can't be reserved in {path} ({error.strerror}): set TMPDIR to a writable folder"
        ) from None


def claim(port: int, what: str, fix: str) -> int:
    """Return *port*, or a free one for 0; raise PortTakenError, whose message ends with *fix*."""
    if port == 0:
        return free_port()
    with socket.socket() as probe:
        # As servers do: a connection of the last run that is still closing must not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTakenError(what, port, fix) from None
            raise EmbeddedError(f"port {port} for {what} can't be used ({error.strerror}): {fix}") from None
    return port
