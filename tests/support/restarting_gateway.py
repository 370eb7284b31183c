"""The gateway as a process whose listening socket outlives it, as `bellbuoy up` runs it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Self

from bellbuoy.local.role_process import RoleProcess
from bellbuoy.operations.roles import listen
from schemas.connection import Connection
from schemas.topics import Topics
from tests.support.role_processes import role_settings


class RestartingGateway:
    """
    A gateway that may be killed or stopped, and started again on the same port.

    ``held`` tells whether the socket outlives the process; otherwise connections are refused in between.
    """

    def __init__(self, bootstrap: Connection, topics: Topics, folder: Path, *, held: bool = True) -> None:
        self._listener = listen("127.0.0.1", 0, "gateway") if held else None
        settings = role_settings(bootstrap, topics, folder)
        self.process = RoleProcess("gateway", settings, folder / "gateway.log", listener=self._listener)

    def __enter__(self) -> Self:
        self.process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()
        if self._listener is not None:
            self._listener.close()

    @property
    def address(self) -> tuple[str, int]:
        return self.process.host, self.process.port

    @property
    def url(self) -> str:
        return self.process.url

    def kill(self) -> None:
        """End the process as ``kill -9`` does, and start it again."""
        self.process.kill()
        self.process.start()

    def stop(self) -> None:
        """Ask the process to end, and start it again once it has."""
        self.process.stop()
        self.process.start()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=120)
