"""Observations of a backtest: the accounts of a world once a week, with what was published of them."""

from __future__ import annotations

import numpy as np

from bellbuoy.backtest.fold import Published
from bellbuoy.backtest.labels import Labels, Times
from bellbuoy.simulator.worlds.fates import Fate
from schemas.times import DAY

__all__ = ["EVERY_DAYS", "FIRST_DAY", "Observations"]

FIRST_DAY = 84
"""Days of a world that are not evaluated: the model has no past to compare with yet."""

EVERY_DAYS = 7
"""An account is observed once a week."""


class Observations:
    """Weekly observations of the accounts of a world: who, when, and the score published at that time."""

    def __init__(self, published: Published, fates: tuple[Fate, ...], start: int) -> None:
        days = np.arange(FIRST_DAY, len(published.scores), EVERY_DAYS)
        known = ~np.isnan(published.scores[days])
        rows, self.who = np.nonzero(known)
        self.day = days[rows]
        self.at = start + (self.day + 1) * DAY - 1
        self.risk = 100 - published.scores[self.day, self.who]
        self.band = published.bands[self.day, self.who].astype(np.int64)
        self.times = Times(fates)
        self.labels = Labels(self.times, self.who, self.at)
