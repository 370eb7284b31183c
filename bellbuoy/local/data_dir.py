"""The data directory: one `up` at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from bellbuoy.local.embedded.disk import writable
from bellbuoy.local.embedded.errors import EmbeddedError

__all__ = ["DataDir"]


class DataDir:
    """``root`` and what lies in it; the lock goes with the process, however that ends."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.kafka = self.root / "kafka"
        self.redis = self.root / "redis"
        self.logs = self.root / "logs"
        self._lock: IO[str] | None = None

    def lock(self) -> None:
        """Create the directory and take it; raise EmbeddedError when it can't be used or is in use."""
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
        """Give the directory back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
