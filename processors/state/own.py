"""
Parts of a state that a tenant names itself: facts that it sends, and events that it counts.

What a fact means (a number, a date, a pulse) is declared by the model that reads it, so the state keeps what
was sent.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec

from processors.state.parts import NEVER, Stamp

__all__ = ["MAX_OWN", "MUTED_UNTIL", "OWN_NAME", "OwnCount", "OwnFact", "OwnValue"]

MAX_OWN = 32
"""Facts of a tenant's own that an account keeps, and as many counters: the newest; others are forgotten."""

OWN_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
"""The name of an own fact or counter; conditions read it as ``own.<name>``."""

MUTED_UNTIL = "muted_until"
"""An own fact that Bellbuoy itself reads: alerts that begin before this time, UTC milliseconds, are muted."""

OwnValue: TypeAlias = float | bool | str | None


class OwnFact(msgspec.Struct, array_like=True, gc=False):
    """The newest value of an own fact, and who said so ('': nobody in person); null: no longer known."""

    at: Stamp = NEVER
    value: OwnValue = None
    author: str = ""


class OwnCount(msgspec.Struct, array_like=True, gc=False):
    """
    An own counter: ``days`` maps a UTC day to how much was counted, both in the order of the keys.

    ``users`` maps the ``brief`` of a user id to the user's activity (``processors.state.activity``).
    """

    days: dict[int, int] = {}
    users: dict[int, int] = {}
