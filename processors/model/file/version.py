"""The version of a checked file: its own number and a digest of its text in canonical form."""

from __future__ import annotations

import hashlib
import json
from typing import Any

__all__ = ["canonical_text", "version_of"]


def canonical_text(data: Any) -> str:
    """Return a file's data as JSON without spaces, in the order of its keys."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def version_of(number: int, text: str) -> str:
    """Return the version of a file that calls itself *number*, from its canonical text."""
    return f"{number}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
