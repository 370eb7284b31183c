"""Suggestions for a name that is not known: the known names nearest to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

__all__ = ["nearest", "suggestion"]

_MAX_LISTED = 12
"""Known names that a suggestion lists; more of them are looked up in the documentation."""


def nearest(text: str, known: Iterable[str], n: int) -> list[str]:
    """
    Return up to ``n`` known names that somebody who typed ``text`` may have meant, the best first.

    First the same text, then names that begin with it, names that contain it, and names spelt alike.
    """
    wanted = text.casefold()
    names = sorted(known)
    ranked = [
        *(name for name in names if name == text),
        *(name for name in names if name.casefold() == wanted),
        *(name for name in names if name.casefold().startswith(wanted)),
        *(name for name in names if wanted in name.casefold()),
        *get_close_matches(text, names, n=n, cutoff=0.5),
    ]
    return list(dict.fromkeys(ranked))[:n]


def suggestion(unknown: str, known: Sequence[str], listed_in: str) -> str:
    """Return what to do about an unknown name: take the nearest one, or one of a few, or look them up."""
    close = get_close_matches(unknown, known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    if len(known) > _MAX_LISTED:
        return f"{listed_in} lists them"
    return f"use one of {', '.join(sorted(known))}" if known else "leave it out"
