"""Checks of the directory where a server keeps its data."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from bellbuoy.local.embedded.errors import EmbeddedError

__all__ = ["require_space", "writable"]


def writable(folder: Path) -> None:
    """Create *folder* and check by writing a file that it is writable; raise EmbeddedError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise EmbeddedError(
            f"{folder} can't be used for data ({error.strerror or error}): "
            "make it a directory this user can write, or set `data` (BELLBUOY_DATA) to another"
        ) from error


def require_space(folder: Path, size: int) -> None:
    """Raise EmbeddedError unless *size* bytes are free on the disk of *folder*."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise EmbeddedError(
            f"the disk of {folder} is full or nearly so "
            f"({free // 1_000_000} MB free, {size // 1_000_000} MB needed): "
            "free some space, or set `data` (BELLBUOY_DATA) to a directory on another disk"
        )
