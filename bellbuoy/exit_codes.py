"""Table of the command's exit codes; 69 and 70 are those of sysexits.h, 130 is the shells'."""

from __future__ import annotations

from typing import Final

__all__ = ["AWAY", "CONFIGURATION", "FAILED", "INTERNAL", "INTERRUPTED", "LOG_CHANGED", "OK"]

OK: Final = 0
"""Done."""

FAILED: Final = 1
"""The command could not do what it was asked, or a check found a fault; the message says which."""

CONFIGURATION: Final = 2
"""The command line, the settings or a file given to it can't be used; the message has every fault."""

LOG_CHANGED: Final = 3
"""A topic is not the log any more that positions and states were taken from; the message names the command
that mends it, and a restart alone doesn't."""

AWAY: Final = 69
"""A service that the command needs, Kafka or Redis, does not answer."""

INTERNAL: Final = 70
"""An unexpected error of Bellbuoy's own. A role that ends so can be started again safely."""

INTERRUPTED: Final = 130
"""Ctrl-C ended the command before it was done; what runs until Ctrl-C, such as ``up``, returns 0."""
