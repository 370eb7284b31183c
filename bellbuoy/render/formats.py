"""Facts in the words and figures of a customer success manager."""

from __future__ import annotations

from processors.measures.formats import money as worded
from schemas.records import AccountHealth
from schemas.times import DAY, HOUR, MINUTE
from sinks.serving import AccountSummary

__all__ = ["BAND_STYLE", "change", "duration", "money", "number"]

BAND_STYLE = {
    "critical": "bold red",
    "at_risk": "red",
    "watch": "yellow",
    "healthy": "green",
    "unknown": "dim",
}
"""How a band is coloured; the band's name always stands beside it."""


def money(minor: int | None, currency: str | None) -> str:
    """Return an amount in whole major units, like ``12,340 EUR``; a dash for one that isn't known."""
    return "-" if minor is None else worded(minor, currency)


def change(health: AccountHealth | AccountSummary) -> str:
    """Return how the score moved since the last UTC day change, with its sign."""
    if health.previous_score is None:
        return "new"
    moved = round(health.score - health.previous_score, 1)
    return f"{moved:+.1f}" if moved else "="


def duration(milliseconds: float) -> str:
    """Return a length of time in its largest sensible unit."""
    for unit, size in (("day", DAY), ("hour", HOUR), ("minute", MINUTE)):
        if milliseconds >= size:
            count = int(milliseconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{milliseconds / 1000:.1f} s" if milliseconds >= 1_000 else f"{max(0, int(milliseconds))} ms"


def number(value: float) -> str:
    """Return a value for people: whole as it is, a share with four decimals, else with two."""
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:.4f}".rstrip("0").rstrip(".") if abs(value) < 1 else f"{value:,.2f}"
