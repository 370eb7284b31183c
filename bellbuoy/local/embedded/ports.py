"""Functions for TCP ports on this machine."""

from __future__ import annotations

import errno
import socket

from bellbuoy.local.embedded.errors import EmbeddedError, PortTakenError

__all__ = ["HOST", "claim", "free_port"]

HOST = "127.0.0.1"


def free_port() -> int:
    """Return a port on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


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
