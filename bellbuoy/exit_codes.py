"""What the command's exit code means; 69 and 70 as in sysexits.h."""

from __future__ import annotations

from typing import Final

__all__ = ["AWAY", "CONFIGURATION", "FAILED", "INTERNAL", "OK"]

OK: Final = 0
FAILED: Final = 1
CONFIGURATION: Final = 2
AWAY: Final = 69
INTERNAL: Final = 70
