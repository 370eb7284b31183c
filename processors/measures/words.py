"""Numbers in the words of a reason."""

from __future__ import annotations

from schemas.money import places

__all__ = ["count", "money"]


def count(number: float, thing: str) -> str:
    """Return a number and what it counts, in the plural unless it is one."""
    return f"{number:,g} {thing}" if number == 1 else f"{number:,g} {thing}s"


def money(minor: float, currency: str | None) -> str:
    """Return an amount in minor units as whole major units of its currency."""
    return f"{minor / 10 ** places(currency or ''):,.0f} {currency or ''}".rstrip()
