"""Expected effect of new numbers in a model, on accounts, or a time, that took no part in the fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bellbuoy.backtest.metrics import auc, interval, precision_recall
from bellbuoy.backtest.reliability import HORIZON_DAYS, Reliability, measure_reliability
from bellbuoy.calibration.samples import Samples

__all__ = ["AUC_30", "AUC_90", "Change", "Effect", "UnseenScores", "measure_effect"]

AUC_30, AUC_90 = "AUC, churn within 30 days", "AUC, churn within 90 days"

_SHARE = 0.1
_NEAR_DAYS = 30

Floats = NDArray[np.float64]
Metric = Callable[[NDArray[np.int64], Floats, Floats], float]


@dataclass(frozen=True, slots=True)
class UnseenScores:
    """
    Scores (0 to 1) of samples that took no part in a fit, under the file's numbers and the proposed ones.

    ``edge`` and ``new_edge`` are the scores below which an account is at risk or critical, by observation.
    """

    samples: Samples
    before: Floats
    after: Floats
    edge: Floats
    new_edge: Floats
    probability: Floats


@dataclass(frozen=True, slots=True)
class Change:
    """
    A figure under the file's numbers and under the proposed ones, with 95 % intervals over accounts.

    ``more`` is by how much it changes, from ``least`` to ``most``: both are measured on the same accounts.
    ``rising_is_good`` says which way is better.
    """

    name: str
    before: float
    before_interval: tuple[float, float]
    after: float
    after_interval: tuple[float, float]
    more: float
    least: float
    most: float
    count: int
    rising_is_good: bool

    @property
    def errors(self) -> float:
        """By how many standard errors it improves; below 0, it gets worse, and 0 where nothing is known."""
        error = (self.most - self.least) / (2 * 1.96)
        better = self.more if self.rising_is_good else -self.more
        return better / error if error > 0 else 0.0

    @property
    def sure(self) -> bool:
        """Whether the whole interval of the change is an improvement."""
        return self.least > 0 if self.rising_is_good else self.most < 0


@dataclass(frozen=True, slots=True)
class Effect:
    """Effect of a proposal: the figures that change, and how far its probabilities come true."""

    accounts: int
    churners: int
    changes: tuple[Change, ...]
    reliability: Reliability | None

    @property
    def ranks_better(self) -> bool:
        """
        Whether one AUC improves by more than a standard error, and none gets worse by more.

        (The rule of one standard error: Hastie et al. 2009, section 7.10.)
        """
        errors = [self.change(name).errors for name in (AUC_30, AUC_90)]
        return max(errors) > 1 and min(errors) >= -1

    def change(self, name: str) -> Change:
        """Return the change of a figure."""
        return next(change for change in self.changes if change.name == name)


def measure_effect(unseen: UnseenScores) -> Effect:
    """Return what the proposed numbers change for samples that took no part in their fit."""
    samples = unseen.samples
    known = samples.followed()
    reliability = measure_reliability(unseen.probability[known], samples.left[known], samples.who[known])
    return Effect(len(np.unique(samples.who)), samples.churners, tuple(_changes(unseen)), reliability)


def _changes(unseen: UnseenScores) -> Iterator[Change]:
    samples = unseen.samples
    for days, name in ((_NEAR_DAYS, AUC_30), (HORIZON_DAYS, AUC_90)):
        rows = np.nonzero(samples.followed(days))[0]
        yield _change(name, unseen, rows, _auc(samples.leaves_in <= days))
    left, rows = samples.left, np.nonzero(samples.followed())[0]
    for place, name in ((1, "found"), (0, "true")):
        text = (
            f"churn within 90 days found in the riskiest {_SHARE:.0%}"
            if name == "found"
            else f"left within 90 days among the riskiest {_SHARE:.0%}"
        )
        yield _change(text, unseen, rows, _listed(left, place))
    calm = np.nonzero(samples.calm & samples.judged)[0]
    yield _change("calm accounts called at risk or critical", unseen, calm, _below, rising_is_good=False)


def _change(
    name: str, unseen: UnseenScores, rows: NDArray[np.int64], metric: Metric, *, rising_is_good: bool = True
) -> Change:
    def old(chosen: NDArray[np.int64]) -> float:
        return metric(rows[chosen], unseen.before, unseen.edge)

    def new(chosen: NDArray[np.int64]) -> float:
        return metric(rows[chosen], unseen.after, unseen.new_edge)

    everything, groups = np.arange(len(rows)), unseen.samples.who[rows]
    before, after = (old(everything), new(everything)) if len(rows) else (np.nan, np.nan)
    old_interval, new_interval, (least, most) = (
        interval(each, groups) if len(rows) else (np.nan, np.nan)
        for each in (old, new, lambda chosen: new(chosen) - old(chosen))
    )
    return Change(
        name=name,
        before=before,
        before_interval=old_interval,
        after=after,
        after_interval=new_interval,
        more=after - before,
        least=least,
        most=most,
        count=len(rows),
        rising_is_good=rising_is_good,
    )


def _auc(positive: NDArray[np.bool_]) -> Metric:
    return lambda rows, scores, _: auc(-scores[rows], positive[rows])


def _listed(positive: NDArray[np.bool_], place: int) -> Metric:
    return lambda rows, scores, _: precision_recall(-scores[rows], positive[rows], _SHARE)[place]


def _below(rows: NDArray[np.int64], scores: Floats, edges: Floats) -> float:
    return float((scores[rows] < edges[rows]).mean())
