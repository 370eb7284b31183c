"""A measured figure with its interval, and how it is made of observations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bellbuoy.backtest.metrics import interval

__all__ = ["Figure", "Measurement", "Metric", "share_of"]

Metric: TypeAlias = Callable[[NDArray[np.int64]], float]
"""A function from indices of observations to a number."""


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One measured figure, its 95 % interval over accounts, and how many observations it rests on.

    ``by_seed`` are the values in each run of the world alone, where there are several.
    """

    name: str
    value: float
    low: float
    high: float
    count: int
    by_seed: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Measurement:
    """A metric of observations, whose accounts are ``groups``; its interval is found only when asked for."""

    name: str
    groups: NDArray[np.int64]
    metric: Metric

    @property
    def value(self) -> float:
        """The metric of all observations; NaN without any."""
        return self.metric(np.arange(len(self.groups))) if len(self.groups) else float("nan")

    @property
    def count(self) -> int:
        """The number of observations."""
        return len(self.groups)

    def figure(self, by_seed: tuple[float, ...] = ()) -> Figure:
        """Return the value with its interval."""
        nothing = (float("nan"), float("nan"))
        low, high = interval(self.metric, self.groups) if len(self.groups) else nothing
        return Figure(self.name, self.value, low, high, self.count, by_seed)


def share_of(flags: NDArray[np.bool_]) -> Metric:
    """Return the metric that is the share of the observations with a flag."""
    return lambda rows: float(flags[rows].mean())
