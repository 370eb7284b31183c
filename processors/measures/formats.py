"""Formats of numbers in the reasons that measures give."""

from __future__ import annotations

from schemas.money import places

__all__ = ["count", "mean", "money"]

_WHOLE_FROM = 100_000
"""From here on a fraction says nothing, and six digits would no longer hold the number."""


def count(number: float, thing: str) -> str:
    """Return a number and what it counts, in the plural unless it is one; never with an exponent."""
    whole = float(number).is_integer() or abs(number) >= _WHOLE_FROM
    digits = f"{number:,.0f}" if whole else f"{number:,g}"
    return f"{digits} {thing}" if number == 1 else f"{digits} {thing}s"


def mean(number: float) -> str:
    """Return a mean of numbers, with a decimal where it is small and not whole."""
    return f"{number:,.0f}" if number >= 100 or number == round(number) else f"{number:,.1f}"


def money(minor: float, currency: str | None) -> str:
    """Return an amount in minor units as whole major units of its currency."""
    return f"{minor / 10 ** places(currency or ''):,.0f} {currency or ''}".rstrip()
