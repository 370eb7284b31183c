"""Reader of free-form values: a product may give them any type, and one that can't be used is left out."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from processors.intake.own_facts import own_refusals
from processors.state.own import MAX_OWN, MUTED_UNTIL, OwnValue
from schemas.identity.keys import valid_account

__all__ = ["MAX_LONG", "MAX_TEXT", "FreeForm", "host_of", "is_text"]

MAX_TEXT = 256
"""Characters of an id or a name in a Segment call; a longer property is left out."""

MAX_LONG = 2**63 - 1


class FreeForm:
    """
    Reads the attributes of one object of free-form values, its properties or traits, each as a type.

    A value of another type is left out, and ``on_unusable`` is called with its name.
    """

    def __init__(self, values: object, on_unusable: Callable[[str], object]) -> None:
        self._values = values
        self._on_unusable = on_unusable

    def text(self, name: str) -> str | None:
        """Return a text of 1 to MAX_TEXT characters without NUL, or ``None``."""
        value = getattr(self._values, name)
        return value if self._check(name, value, value and is_text(value)) else None

    def number(self, name: str) -> float | None:
        """Return a number from 0 to MAX_LONG, or ``None``."""
        value = getattr(self._values, name)
        good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MAX_LONG
        return value if self._check(name, value, good) else None

    def count(self, name: str, limit: int) -> int | None:
        """Return a number from 0 to ``limit``, rounded, or ``None``."""
        value = self.number(name)
        if value is None or not self._check(name, value, value <= limit):
            return None
        return min(round(value), limit)

    def flag(self, name: str) -> bool:
        """Return a boolean; ``False`` for anything else."""
        value = getattr(self._values, name)
        return bool(value) if self._check(name, value, isinstance(value, bool)) else False

    def currency(self, name: str) -> str | None:
        """Return an ISO 4217 code in upper case, or ``None``."""
        value = self.text(name)
        good = value is not None and len(value) == 3 and value.isascii() and value.isalpha()
        return value.upper() if value and self._check(name, value, good) else None

    def account(self, name: str) -> str | None:
        """Return a text that may be an account id, or ``None``."""
        value = self.text(name)
        return value if value and self._check(name, value, valid_account(value)) else None

    def own(self, name: str) -> dict[str, OwnValue]:
        """
        Return the facts of the sender's own in an object, without those that can't be used.

        Among these is the fact that mutes an account's alerts: whoever reads a page's key may not do that.
        """
        value = getattr(self._values, name)
        if not self._check(name, value, isinstance(value, dict)):
            return {}
        usable = {
            fact: said
            for fact, said in value.items()
            if self._check(name, said, fact != MUTED_UNTIL and not any(own_refusals({fact: said}, {})))
        }
        return dict(list(usable.items())[:MAX_OWN])

    def _check(self, name: str, value: object, good: object) -> bool:
        """Tell whether a value can be used; report one that is neither good nor absent."""
        if not good and value is not None and value != "":
            self._on_unusable(name)
        return bool(good)


def is_text(value: object) -> bool:
    """Tell whether a value is a text of at most MAX_TEXT characters without NUL."""
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
