"""The data directory of a stack, with the lock that lets one process use it at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from bellbuoy.local.embedded.disk import writable
from bellbuoy.local.embedded.errors import EmbeddedError

__all__ = ["DataDir"]


class DataDir:
    """The directory ``root`` and its parts; the kernel releases the lock however the process ends."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.logs = self.root / "logs"
        self._lock: IO[str] | None = None

    def folder(self, server: str) -> Path:
        """Return the folder of a server's data."""
        return self.root / server

    def lock(self) -> None:
        """Create the directory and lock it; raise EmbeddedError when it can't be used or is in use."""
        writable(self.root)
        writable(self.logs)
        file = (self.root / "lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            file.close()
            raise EmbeddedError(
                f"another Bellbuoy (process {owner}) runs in {self.root}: stop it, "
                "or set `data` (BELLBUOY_DATA) to another directory"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._lock = file

    def unlock(self) -> None:
        """Release the lock; harmless when it is not held."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
