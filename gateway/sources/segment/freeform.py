"""Values that a product may shape as it likes: used where their type allows it, else left out and told of."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from schemas.identity.keys import valid_account

__all__ = ["MAX_LONG", "MAX_TEXT", "FreeForm", "host_of", "is_text"]

MAX_TEXT = 256
MAX_LONG = 2**63 - 1


class FreeForm:
    """Reads free-form values; one that can't be used is reported and left out."""

    def __init__(self, values: object, unreadable: Callable[[str], object]) -> None:
        self._values = values
        self._unreadable = unreadable

    def text(self, name: str) -> str | None:
        """Return a text of 1 to MAX_TEXT characters without NUL, or ``None``."""
        value = getattr(self._values, name)
        return value if self._usable(name, value, value and is_text(value)) else None

    def number(self, name: str) -> float | None:
        """Return a number from 0 to MAX_LONG, or ``None``."""
        value = getattr(self._values, name)
        good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_LONG
        return value if self._usable(name, value, good) else None

    def count(self, name: str, most: int) -> int | None:
        """Return a number from 0 to ``most``, rounded, or ``None``."""
        value = self.number(name)
        return (
            None if value is None or not self._usable(name, value, value <= most) else min(round(value), most)
        )

    def flag(self, name: str) -> bool:
        """Return a boolean; ``False`` for anything else."""
        value = getattr(self._values, name)
        return bool(value) if self._usable(name, value, isinstance(value, bool)) else False

    def currency(self, name: str) -> str | None:
        """Return an ISO 4217 code in upper case, or ``None``."""
        value = self.text(name)
        good = value is not None and len(value) == 3 and value.isascii() and value.isalpha()
        return value.upper() if value and self._usable(name, value, good) else None

    def account(self, name: str) -> str | None:
        """Return a text that may be an account id, or ``None``."""
        value = self.text(name)
        return value if value and self._usable(name, value, valid_account(value)) else None

    def _usable(self, name: str, value: object, good: object) -> bool:
        if not good and value is not None and value != "":
            self._unreadable(name)
        return bool(good)


def is_text(value: object) -> bool:
    """Tell whether a value is text of at most MAX_TEXT characters without NUL."""
    return isinstance(value, str) and len(value) <= MAX_TEXT and "\0" not in value


def host_of(website: str | None) -> str | None:
    """Return the host of a web address without ``www.``, or ``None`` where there is none."""
    if website is None:
        return None
    try:
        host = urlsplit(website if "//" in website else f"//{website}").hostname
    except ValueError:
        return None
    return host.removeprefix("www.") if host else None
