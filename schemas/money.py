"""
Amounts of money in minor units, such as cents.

How many decimal places a minor unit has is the data of ISO 4217, as the library ``iso4217`` publishes it.
"""

from __future__ import annotations

from decimal import Decimal

from iso4217 import Currency

__all__ = ["minor_units", "places"]

_PLACES = {currency.code: currency.exponent for currency in Currency}
_USUAL_PLACES = 2
_MAX = 2**63 - 1


def places(currency: str) -> int:
    """Return the decimal places of a currency by its code; 2 where it has none or is not known."""
    known = _PLACES.get(currency)
    return _USUAL_PLACES if known is None else known


def minor_units(amount: float, currency: str) -> int | None:
    """
    Return an amount in major units as minor units of its currency, half to even.

    ``None`` for an amount that 64 bits can't hold.
    """
    minor = round(Decimal(str(amount)).scaleb(places(currency)))
    return minor if abs(minor) <= _MAX else None
