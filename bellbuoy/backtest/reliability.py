"""Reliability of probabilities: of those said to leave with 10 %, one in ten should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bellbuoy.backtest.metrics import interval

__all__ = ["HORIZON_DAYS", "Reliability", "ReliabilityRow", "measure_reliability"]

HORIZON_DAYS = 90
"""The days in which an account leaves, or doesn't."""

_EDGES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0)
"""Classes of the probability: finer where most accounts are."""

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ReliabilityRow:
    """
    The observations whose probability is from ``low`` up to ``high``.

    ``said`` is the mean probability, ``observed`` the share that left, ``least`` and ``most`` its 95 %
    interval over accounts.
    """

    low: float
    high: float
    said: float
    observed: float
    least: float
    most: float
    count: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """
    Comparison of stated probabilities of churn within 90 days with what happened.

    ``brier`` is the mean squared error (Brier 1950); ``brier_of_rate`` that of saying for everybody the share
    that left.
    """

    brier: float
    brier_of_rate: float
    rows: tuple[ReliabilityRow, ...]

    @property
    def skill(self) -> float:
        """How much smaller the error is than that of the plain share: 1 is perfect, 0 says nothing."""
        return 1 - self.brier / self.brier_of_rate if self.brier_of_rate else float("nan")


def measure_reliability(probability: Floats, left: Flags, groups: NDArray[np.int64]) -> Reliability | None:
    """Return the reliability of probabilities, given who left; ``None`` without observations."""
    if not len(left):
        return None
    rows = []
    for low, high in pairwise(_EDGES):
        inside = (probability >= low) & ((probability < high) | (high == 1))
        if inside.any():
            happened = left[inside]
            least, most = interval(_mean(happened), groups[inside])
            said, observed = float(probability[inside].mean()), float(happened.mean())
            rows.append(ReliabilityRow(low, high, said, observed, least, most, int(inside.sum())))
    rate = float(left.mean())
    return Reliability(float(((probability - left) ** 2).mean()), rate * (1 - rate), tuple(rows))


def _mean(flags: Flags) -> Callable[[NDArray[np.int64]], float]:
    return lambda rows: float(flags[rows].mean())
