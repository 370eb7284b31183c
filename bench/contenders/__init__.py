"""
Contenders of the benchmark, a module per engine; each has ``CONTENDERS``, one for each setting compared.

Start-up is not counted: the clock starts when a contender is ready to take its first record, or, where
it must warm up first, with the first record after that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.workload.load import Load

__all__ = ["Contender", "ContenderResult"]


@dataclass(frozen=True, slots=True)
class ContenderResult:
    """The events processed, the seconds that took, and whether the final totals are those of the load."""

    events: int
    seconds: float
    exact: bool


@dataclass(frozen=True, slots=True)
class Contender:
    """
    A contender: its unique name, as the tables show it, and the function that processes the load once.

    A slow one gets only the first ``share`` events, on topics of their own; ``quick`` says whether it
    starts fast enough for a short benchmark.
    """

    name: str
    run: Callable[[Load], ContenderResult]
    share: int | None = None
    quick: bool = True
