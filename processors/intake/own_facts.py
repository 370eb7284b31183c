"""Check of what an event says of a tenant's own facts and counters, whatever way it came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from processors.state.own import MAX_OWN, OWN_NAME

__all__ = ["own_refusals"]

MAX_OWN_TEXT = 256
"""Characters of a text among the own facts; an event with a longer one is `invalid`."""

_MOST_NUMBER = 10**15
_MOST_COUNTED = 1_000_000
"""The most that one event may count: a year of it adds up within 64 bits."""

_NAMES = "a name has 1 to 64 of a-z, 0-9 and _, a letter first"


def own_refusals(own: Mapping[str, Any], counted: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every reason why these own facts and counts can't be taken, each after its JSON pointer."""
    for field, given in (("own", own), ("counted", counted)):
        if len(given) > MAX_OWN:
            yield f"/{field}", f"{len(given)} names, at most {MAX_OWN}"
        for name in given:
            if not OWN_NAME.fullmatch(name):
                yield f"/{field}/{name:.64}", _NAMES
    for name, value in own.items():
        pointer = f"/own/{name:.64}"
        if isinstance(value, str):
            if len(value) > MAX_OWN_TEXT or "\0" in value:
                yield pointer, f"a text has at most {MAX_OWN_TEXT} characters, none of them NUL"
        elif value is not None and not isinstance(value, int | float):
            yield pointer, "a fact is a number, true or false, a text, or null"
        elif value is not None and not abs(value) <= _MOST_NUMBER:  # what is no number isn't either
            yield pointer, f"a number lies between -{_MOST_NUMBER:g} and {_MOST_NUMBER:g}"
    for name, number in counted.items():
        if not isinstance(number, int) or isinstance(number, bool):
            yield f"/counted/{name:.64}", "a count is a whole number"
        elif not 1 <= number <= _MOST_COUNTED:
            yield f"/counted/{name:.64}", f"{number} is outside 1..{_MOST_COUNTED}"
