"""Money in major units as minor ones."""

from __future__ import annotations

from decimal import Decimal

from schemas.money import places

__all__ = ["minor_units"]

_MAX = 2**63 - 1


def minor_units(amount: float, currency: str) -> int | None:
    """
    Return an amount in major units as minor units of an ISO 4217 currency, half to even.

    ``None`` for an amount that 64 bits can't hold.
    """
    minor = round(Decimal(str(amount)).scaleb(places(currency)))
    return minor if abs(minor) <= _MAX else None
