"""Output for people or for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

__all__ = ["emit"]


def emit(data: Any, lines: Sequence[str], as_json: bool) -> None:
    """Print *data* as JSON, or *lines* for people, on stdout."""
    print(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode() if as_json else "\n".join(lines))
