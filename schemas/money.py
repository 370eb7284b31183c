"""ISO 4217: how many decimal places a currency's minor unit has."""

from __future__ import annotations

__all__ = ["places"]

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
