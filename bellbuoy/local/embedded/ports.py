"""Functions for TCP ports on this machine."""

from __future__ import annotations

import errno
import secrets
import socket
from contextlib import suppress

from bellbuoy.local.embedded.errors import EmbeddedError, PortTakenError

__all__ = ["HOST", "claim", "free_port"]

HOST = "127.0.0.1"
_SERVER_PORTS = range(20_000, 32_000)
_ATTEMPTS = 1_000


def free_port() -> int:
    """
    Return a port on which nothing listens now, of those that no system gives to connections.

    A port that the system itself would choose may be a connection's before the server that it is meant for
    has started. Raises EmbeddedError.
    """
    for _ in range(_ATTEMPTS):
        port = secrets.choice(_SERVER_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise EmbeddedError(f"no port from {_SERVER_PORTS[0]} to {_SERVER_PORTS[-1]} is free on {HOST}")


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
