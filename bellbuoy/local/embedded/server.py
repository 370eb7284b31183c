"""The embedded server that Kafka, Redis and Postgres are kinds of: a child process with a port and files."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar

from bellbuoy.local.embedded.child import Child, ending
from bellbuoy.local.embedded.disk import require_space, writable
from bellbuoy.local.embedded.errors import EmbeddedError
from bellbuoy.local.embedded.ports import claim

__all__ = ["EmbeddedServer"]


class EmbeddedServer(ABC):
    """
    A server on 127.0.0.1 whose data under ``folder`` survives restarts.

    ``port`` 0 takes a free one at each start; ``fix`` is the end of the message for a taken port and says
    how to choose another. ``address`` is where clients find it, valid once it is started.
    """

    name: ClassVar[str]
    min_free_bytes: ClassVar[int]
    ready_seconds: ClassVar[float] = 180.0
    stop_seconds: ClassVar[float] = 5.0

    def __init__(
        self, folder: Path, *, port: int = 0, log: Path | None = None, fix: str = "pass another port"
    ) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.log = (log or folder / f"{self.name.lower()}.log").absolute()
        self._wanted = port
        self._fix = fix
        self._child: Child | None = None

    @property
    @abstractmethod
    def address(self) -> str:
        """The address for clients; valid once started."""

    @property
    def started(self) -> bool:
        """Whether there is a process, running or ended."""
        return self._child is not None

    @property
    def child(self) -> Child:
        """The running process; raises EmbeddedError when it was never started."""
        if self._child is None:
            raise EmbeddedError(f"{self.name} is not started")
        return self._child

    @abstractmethod
    def launch(self) -> None:
        """Start the server and return without waiting for it; raise EmbeddedError."""

    def prepare(self) -> None:
        """Take the port, and make sure of a folder with space; raise EmbeddedError."""
        self.port = claim(self._wanted, self.name, self._fix)
        writable(self.folder)
        require_space(self.folder, self.min_free_bytes)

    @abstractmethod
    def probing(self) -> AbstractContextManager[Callable[[], bool]]:
        """Yield a function that tells whether the server answers now, after a short wait at most."""

    def wait_ready(self, seconds: float | None = None) -> None:
        """Return once the server answers; raise EmbeddedError if it ends, or after ``ready_seconds``."""
        seconds = self.ready_seconds if seconds is None else seconds
        deadline = time.monotonic() + seconds
        child = self.child
        with self.probing() as answers:
            while time.monotonic() < deadline:
                if not child.running:
                    raise EmbeddedError(
                        f"{self.name} {ending(child.returncode)} while starting; "
                        f"its log {self.log} ends with:\n{child.tail()}"
                    )
                if answers():
                    return
                time.sleep(0.02)
        self.stop()
        raise EmbeddedError(
            f"{self.name} did not answer on {self.address} within {seconds:.0f} s; see {self.log}\n"
            f"{child.tail()}"
        )

    def start(self, seconds: float | None = None) -> None:
        """Start the server and return once it answers; raise EmbeddedError as ``wait_ready`` does."""
        self.launch()
        self.wait_ready(seconds)

    def stop(self, seconds: float | None = None) -> None:
        """Shut the server down; kill it after ``stop_seconds``. Does nothing when it isn't running."""
        if self._child is not None:
            self._child.stop(self.stop_seconds if seconds is None else seconds)
