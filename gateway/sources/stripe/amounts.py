"""
Amounts of money as Stripe writes them, in minor units of ISO 4217. Pure.

Stripe counts some currencies in other units than ISO 4217 says: MGA, which has two decimal places, without
any; ISK and UGX, which have none, with two. HUF and TWD are charged with two, as ISO 4217 has them.
Source: https://docs.stripe.com/currencies#special-cases
"""

from __future__ import annotations

from fractions import Fraction

from schemas.money import places

__all__ = ["currency_code", "iso_minor"]

_ZERO_DECIMAL = frozenset(
    {
        "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF",
        "XPF",
    }
)  # fmt: skip
_THREE_DECIMAL = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
_MAX = 2**63 - 1


def currency_code(code: str | None) -> str | None:
    """Return a currency's code in upper case; ``None`` for what is none."""
    return code.upper() if code and len(code) == 3 and code.isascii() and code.isalpha() else None


def iso_minor(amount: Fraction | int | None, currency: str | None) -> int | None:
    """
    Return an amount of Stripe in minor units of its currency, half to even.

    ``None`` for an amount that is not known, or that 64 bits can't hold.
    """
    if amount is None:
        return None
    if currency is None:
        minor = round(amount)
    else:
        stripe = 0 if currency in _ZERO_DECIMAL else 3 if currency in _THREE_DECIMAL else 2
        minor = round(amount * Fraction(10) ** (places(currency) - stripe))
    return minor if abs(minor) <= _MAX else None
