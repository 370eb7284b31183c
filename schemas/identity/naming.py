"""Texts that name somebody: found, and replaced, as whole words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["ERASED", "named_by", "names", "without_name"]

ERASED = "erased"
"""What stands in a text in place of a name."""

_INSIDE = r"[\w.@+-]"
"""Characters of a longer id or address: a name next to one of them is part of another."""


def named_by(texts: Iterable[str]) -> re.Pattern[str]:
    """Return the pattern of these names as whole words; of several that fit the longest counts."""
    longest_first = sorted({text for text in texts if text}, key=len, reverse=True)
    return re.compile(f"(?<!{_INSIDE})(?:{'|'.join(map(re.escape, longest_first))})(?!{_INSIDE})")


def names(value: Any, pattern: re.Pattern[str]) -> bool:
    """Tell whether a text, or a text somewhere in lists and mappings, names somebody."""
    if isinstance(value, str):
        return pattern.search(value) is not None
    if isinstance(value, Mapping):
        return any(names(each, pattern) for pair in value.items() for each in pair)
    return isinstance(value, list | tuple) and any(names(each, pattern) for each in value)


def without_name(value: Any, pattern: re.Pattern[str]) -> Any:
    """Return a value in which every text names nobody: ``ERASED`` stands there instead."""
    if isinstance(value, str):
        return pattern.sub(ERASED, value)
    if isinstance(value, Mapping):
        return {key: without_name(each, pattern) for key, each in value.items()}
    return [without_name(each, pattern) for each in value] if isinstance(value, list) else value
