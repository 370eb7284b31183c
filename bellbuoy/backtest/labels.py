"""Labels of a backtest: what was true of each account on each day, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bellbuoy.simulator.worlds.fates import Fate
from schemas.times import DAY

__all__ = ["Labels", "Times"]

_NEVER = np.int64(2**62)


class Times:
    """
    The times of fates as arrays, one element an account; UTC milliseconds, far in the future for never.

    ``leaves`` is when the account churns. ``told`` is when the customer itself says so, by its notice or by
    leaving: from then on a warning comes too late.
    """

    def __init__(self, fates: Sequence[Fate]) -> None:
        self.onset = _times(fate.onset for fate in fates)
        self.leaves = _times(fate.churned_at for fate in fates)
        self.saved = _times(fate.saved_at for fate in fates)
        self.told = np.minimum(_times(fate.notice_at for fate in fates), self.leaves)
        self.calm = np.array([fate.cause is None for fate in fates])
        self.involuntary = np.array([fate.involuntary for fate in fates])
        self.arr = np.array([fate.arr_minor for fate in fates], float)


class Labels:
    """Labels of observations: each is an account's index and a time (UTC milliseconds)."""

    def __init__(self, times: Times, who: NDArray[np.int64], at: NDArray[np.int64]) -> None:
        self._times, self._who, self._at = times, who, at

    @property
    def open(self) -> NDArray[np.bool_]:
        """Whether the account is still a customer who has not given notice."""
        return self._at < self._times.told[self._who]

    def churns_within(self, days: int) -> NDArray[np.bool_]:
        """Whether the account churns within so many days after the observation."""
        leaves = self._times.leaves[self._who]
        return (leaves > self._at) & (leaves <= self._at + days * DAY)

    def in_trouble(self, days: int) -> NDArray[np.bool_]:
        """Whether a cause has been at work for so many days, and neither an end nor a rescue came yet."""
        began = self._times.onset[self._who] + days * DAY <= self._at
        over = np.minimum(self._times.saved, self._times.leaves)[self._who] <= self._at
        return began & ~over

    def calm(self) -> NDArray[np.bool_]:
        """Whether no cause is at work: a calm account, or one before its onset."""
        return self._at < self._times.onset[self._who]


def _times(values: object) -> NDArray[np.int64]:
    return np.array([_NEVER if value is None else value for value in values], np.int64)  # type: ignore[attr-defined]
