"""Evaluation of what was published in a world against its truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from bellbuoy.backtest.alert_figures import REACHABLE_DAYS, alert_figures, delay_figures
from bellbuoy.backtest.cause_figures import cause_figure
from bellbuoy.backtest.figure import Measurement, share_of
from bellbuoy.backtest.fold import UNKNOWN, Published
from bellbuoy.backtest.metrics import auc, precision_recall, worth_found
from bellbuoy.backtest.observations import FIRST_DAY, Observations
from bellbuoy.simulator.worlds.fates import Fate
from schemas.records import BAND_ORDER
from schemas.times import DAY

__all__ = ["HEADLINES", "baseline_figures", "evaluate"]

_AT_WORK_DAYS = 14
_AHEAD_DAYS = 30
_BOOK_SHARE = 0.15
_HORIZONS = (30, 60, 90)
_SHARES = (0.05, 0.1, 0.2)
_HEALTHY = BAND_ORDER.index("healthy")

HEADLINES = (
    f"AUC, trouble for {_AT_WORK_DAYS} days or longer",
    f"AUC, churn within {_AHEAD_DAYS} days",
    f"reachable churners in the riskiest {_BOOK_SHARE:.0%}, {_AHEAD_DAYS} days ahead",
    "churners called healthy 31 to 60 days before they leave",
    "calm accounts with an open urgent or watched alert",
    "calm accounts with an open alert",
    f"true among the riskiest {_SHARES[0]:.0%}",
    "planted cause among the first three reasons",
)
"""The figures by which a model is judged first; reports show them by segment, too."""


def evaluate(
    published: Published,
    fates: tuple[Fate, ...],
    start: int,
    *,
    planted: bool = True,
) -> Iterator[Measurement]:
    """
    Yield the figures of a backtest; those of causes only where they are known (``planted``).

    Only customers who have not given notice are observed: what the customer said itself is no warning.
    """
    seen = Observations(published, fates, start)
    still_open = seen.labels.open
    risk, who = seen.risk[still_open], seen.who[still_open]
    churns = {days: seen.labels.churns_within(days)[still_open] for days in _HORIZONS}
    trouble = seen.labels.in_trouble(_AT_WORK_DAYS)[still_open]
    calm = seen.labels.calm()[still_open]
    judged = trouble | calm
    if planted:
        yield Measurement(
            f"AUC, trouble for {_AT_WORK_DAYS} days or longer",
            who[judged],
            _auc(risk[judged], trouble[judged]),
        )
    for days, churn in churns.items():
        yield Measurement(f"AUC, churn within {days} days", who, _auc(risk, churn))
    bad, arr = churns[90] | trouble, seen.times.arr[who]
    for share in _SHARES:
        yield Measurement(f"true among the riskiest {share:.0%}", who, _precision(risk, bad, share))
        yield Measurement(
            f"churn within 90 days found in the riskiest {share:.0%}", who, _recall(risk, churns[90], share)
        )
        yield Measurement(
            f"its ARR found in the riskiest {share:.0%}", who, _arr_found(risk, churns[90], arr, share)
        )
    if planted:
        yield from _reached(published, seen, start)
        yield from delay_figures(published, seen, start)
    yield from _bands(seen, still_open)
    yield from alert_figures(published, seen, start)
    if planted:
        yield cause_figure(published, seen, fates)


def baseline_figures(
    seen: Observations, risks: NDArray[np.float64], *, planted: bool = True
) -> Iterator[Measurement]:
    """Yield the AUCs of a baseline, given as each observation's risk; unknown ones are of middling risk."""
    known = ~np.isnan(risks)
    risk = np.where(known, risks, np.median(risks[known]) if known.any() else 0.0)
    still_open = seen.labels.open
    trouble, calm = seen.labels.in_trouble(_AT_WORK_DAYS), seen.labels.calm()
    judged = still_open & (trouble | calm)
    if planted:
        yield Measurement(
            f"AUC, trouble for {_AT_WORK_DAYS} days or longer",
            seen.who[judged],
            _auc(risk[judged], trouble[judged]),
        )
    for days in _HORIZONS:
        churn = seen.labels.churns_within(days)
        yield Measurement(
            f"AUC, churn within {days} days",
            seen.who[still_open],
            _auc(risk[still_open], churn[still_open]),
        )


def _auc(risk: NDArray[np.float64], positive: NDArray[np.bool_]) -> Callable[[NDArray[np.int64]], float]:
    return lambda rows: auc(risk[rows], positive[rows])


def _precision(
    risk: NDArray[np.float64], positive: NDArray[np.bool_], share: float
) -> Callable[[NDArray[np.int64]], float]:
    return lambda rows: precision_recall(risk[rows], positive[rows], share)[0]


def _recall(
    risk: NDArray[np.float64], positive: NDArray[np.bool_], share: float
) -> Callable[[NDArray[np.int64]], float]:
    return lambda rows: precision_recall(risk[rows], positive[rows], share)[1]


def _arr_found(
    risk: NDArray[np.float64], positive: NDArray[np.bool_], arr: NDArray[np.float64], share: float
) -> Callable[[NDArray[np.int64]], float]:
    return lambda rows: worth_found(risk[rows], positive[rows], arr[rows], share)


def _reached(published: Published, seen: Observations, start: int) -> Iterator[Measurement]:
    """Yield how many churners, whose cause began early enough, are flagged 30 days before they leave."""
    times = seen.times
    leaves = (times.leaves - start) // DAY
    reachable = np.nonzero(
        (leaves < len(published.scores))
        & (leaves - (times.onset - start) // DAY >= REACHABLE_DAYS)
        & (leaves - _AHEAD_DAYS >= FIRST_DAY)
    )[0]
    flagged = []
    for place in reachable:
        day = leaves[place] - _AHEAD_DAYS
        book = published.scores[day]
        present = ~np.isnan(book) & (times.leaves > start + day * DAY)
        edge = np.quantile(book[present], _BOOK_SHARE)
        flagged.append(bool(book[place] <= edge and book[place] < book[present].max()))
    yield Measurement(
        f"reachable churners in the riskiest {_BOOK_SHARE:.0%}, {_AHEAD_DAYS} days ahead",
        reachable,
        share_of(np.array(flagged, bool)),
    )


def _bands(seen: Observations, still_open: NDArray[np.bool_]) -> Iterator[Measurement]:
    """Yield which bands churners and calm accounts were shown in."""
    ahead = (seen.times.leaves[seen.who] - seen.at) / DAY
    late = still_open & (ahead > 30) & (ahead <= 60)
    yield Measurement(
        "churners called healthy 31 to 60 days before they leave",
        seen.who[late],
        share_of(seen.band[late] == _HEALTHY),
    )
    churn = seen.labels.churns_within(90)
    for place, name in enumerate(BAND_ORDER):
        shown = still_open & (seen.band == place)
        yield Measurement(
            f"churn within 90 days of those called {name}", seen.who[shown], share_of(churn[shown])
        )
    calm = still_open & seen.labels.calm() & (seen.band != UNKNOWN)
    yield Measurement(
        "calm accounts called at risk or critical", seen.who[calm], share_of(seen.band[calm] < 2)
    )
    everyone = still_open
    yield Measurement(
        "the book called at risk or critical",
        seen.who[everyone],
        share_of((seen.band[everyone] < 2) & (seen.band[everyone] != UNKNOWN)),
    )
