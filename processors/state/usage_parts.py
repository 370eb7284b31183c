"""Parts of the usage, by which is told what must be asked again when more of it came."""

from __future__ import annotations

__all__ = ["FEATURES", "PAST", "TODAY", "USERS"]

TODAY, PAST, USERS, FEATURES = 1, 2, 4, 8
"""What happened today, what happened before, who was active on which days, what was used last when."""
