"""Moments as people type them."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import typer

from schemas.times import DAY, HOUR, MINUTE

__all__ = ["MOMENT", "moment", "now"]

MOMENT = "2026-01-31, 2026-01-31T09:30Z, or how long ago: 45m, 12h, 7d"
"""What ``moment`` understands, for help texts."""

_AGO = re.compile(r"(\d{1,6})([mhd])\Z")
_UNIT = {"m": MINUTE, "h": HOUR, "d": DAY}


def now() -> int:
    """Return the wall clock, UTC milliseconds."""
    return time.time_ns() // 1_000_000


def moment(text: str | None) -> int | None:
    """Return a moment in UTC milliseconds; raise typer.BadParameter for what is none."""
    if text is None:
        return None
    ago = _AGO.match(text)
    if ago is not None:
        return now() - int(ago[1]) * _UNIT[ago[2]]
    try:
        found = datetime.fromisoformat(text)
        return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is no time: give {MOMENT}") from None
