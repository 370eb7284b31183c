"""Amounts of money in minor units, such as cents, by the decimal places that ISO 4217 gives a currency."""

from __future__ import annotations

from decimal import Decimal

__all__ = ["minor_units", "places"]

_MAX = 2**63 - 1

_NONE = frozenset(
    (
        "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV",
        "XAF", "XOF", "XPF",
    )
)  # fmt: skip
_THREE = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))


def places(currency: str) -> int:
    """Return the decimal places of a currency by its code; 2 where it is not known."""
    return 0 if currency in _NONE else 3 if currency in _THREE else 2


def minor_units(amount: float, currency: str) -> int | None:
    """
    Return an amount in major units as minor units of its currency, half to even.

    ``None`` for an amount that 64 bits can't hold.
    """
    minor = round(Decimal(str(amount)).scaleb(places(currency)))
    return minor if abs(minor) <= _MAX else None
