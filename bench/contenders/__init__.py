"""
One module an engine; each offers ``CONTENDERS``: what it runs, once for every setting worth comparing.

Start-up is not counted: the clock starts when a contender is ready to take its first record, or, where
it must warm up first, with the first record after that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.load import Load

__all__ = ["Contender", "Outcome"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Events taken, the seconds they took, and whether the final totals are those of the load."""

    events: int
    seconds: float
    exact: bool


@dataclass(frozen=True, slots=True)
class Contender:
    """
    A name, unique and as the tables show it, and what takes the whole load once.

    A slow one gets only the first ``share`` events, on topics of their own; ``quick`` says whether it
    starts fast enough for a short benchmark.
    """

    name: str
    run: Callable[[Load], Outcome]
    share: int | None = None
    quick: bool = True
