"""Text of others as one bounded line of a message, without control characters and direction marks."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["MOST_NAME", "MOST_TEXT", "isolated", "one_line"]

MOST_NAME = 80
"""Most characters of a name in a message; the rest becomes an ellipsis."""

MOST_TEXT = 240
"""Most characters of any other text in a message."""

_JOINERS = "\u200c\u200d"
"""Invisible characters that Persian, Indic scripts and emoji are written with."""
_SPACES = re.compile(r"\s+")
_STACKED = re.compile(r"((?:.(?!$))?[\u0300-\u036f]{4})[\u0300-\u036f]+")
_FIRST_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"


def one_line(text: str, most: int = MOST_TEXT) -> str:
    """
    Return a text as one line of at most so many characters.

    Line breaks and tabs become spaces. Control characters, invisible characters, marks that turn the
    direction of what follows, and unpaired surrogates are removed, so no text can hide or forge a part of the
    message around it.
    """
    kept = "".join(map(_kept, text[: most * 8]))
    line = _STACKED.sub(r"\1", _SPACES.sub(" ", kept).strip())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def isolated(text: str) -> str:
    """Return a text whose letters that are written from right to left don't reorder its neighbours."""
    if any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text):
        return f"{_FIRST_ISOLATE}{text}{_END_ISOLATE}"
    return text


def _kept(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Zl", "Zp") or character in "\t\n\r\v\f":
        return " "
    if category in ("Cc", "Cs", "Cn", "Co") or (category == "Cf" and character not in _JOINERS):
        return ""
    return character
