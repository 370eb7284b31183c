"""Log of a command: warnings on stderr, as standard output belongs to the answer."""

from __future__ import annotations

import logging

__all__ = ["log_warnings"]


def log_warnings() -> None:
    """Log warnings on stderr, unless the program that calls the command keeps its own log."""
    if not logging.getLogger().handlers:
        from bellbuoy import logs

        logs.configure("warning", "command")
