"""Formats of amounts, durations, numbers and bands as a customer success manager reads them."""

from __future__ import annotations

import re

from processors.measures.formats import money as amount_in_words
from schemas.records import AccountHealth
from schemas.times import DAY, HOUR, MINUTE
from sinks.serving import AccountSummary

__all__ = ["BAND_STYLE", "amount", "change", "duration", "money", "number"]

_PLURAL, _SINGULAR = re.compile(r"^((?:[a-z]+ )?[a-z]+)s\b"), r"\1"
"""The plural that a unit begins with, such as ``days of 7`` or ``weighted days``, and what is left of it."""

BAND_STYLE = {
    "critical": "bold red",
    "at_risk": "red",
    "watch": "yellow",
    "healthy": "green",
    "unknown": "dim",
}
"""The colour of each band; the band's name is always shown with it."""


def money(minor: int | None, currency: str | None) -> str:
    """Return an amount in whole major units, like ``12,340 EUR``; or a dash for an unknown one."""
    return "-" if minor is None else amount_in_words(minor, currency)


def change(health: AccountHealth | AccountSummary) -> str:
    """Return the change of the score since the last UTC midnight, with its sign."""
    if health.previous_score is None:
        return "new"
    moved = round(health.score - health.previous_score, 1)
    return f"{moved:+.1f}" if moved else "="


def duration(milliseconds: float) -> str:
    """Return a length of time in its largest whole unit."""
    for unit, size in (("day", DAY), ("hour", HOUR), ("minute", MINUTE)):
        if milliseconds >= size:
            count = int(milliseconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{milliseconds / 1000:.1f} s" if milliseconds >= 1_000 else f"{max(0, int(milliseconds))} ms"


def amount(value: float, unit: str) -> str:
    """Return a value with its unit, which is in the plural unless the value is 1: ``1 day of 7``."""
    text = number(value)
    return f"{text} {_PLURAL.sub(_SINGULAR, unit) if text == '1' else unit}".rstrip()


def number(value: float) -> str:
    """Return a number as text: whole ones as they are, those below 1 with four decimals, others with two."""
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:.4f}".rstrip("0").rstrip(".") if abs(value) < 1 else f"{value:,.2f}"
