"""Evaluation of what was published in a world against its truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bellbuoy.backtest.fold import UNKNOWN, Published
from bellbuoy.backtest.labels import Labels, Times
from bellbuoy.backtest.metrics import auc, interval, precision_recall
from bellbuoy.simulator.worlds.fates import Fate
from schemas.records import BAND_ORDER
from schemas.times import DAY

__all__ = [
    "CAUSE_MEASURES",
    "EVERY_DAYS",
    "FIRST_DAY",
    "Figure",
    "Observations",
    "baseline_figures",
    "evaluate",
]

FIRST_DAY = 84
"""Days of a world that are not evaluated: the model has no past to compare with yet."""

EVERY_DAYS = 7
"""An account is observed once a week."""

_AT_WORK_DAYS = 14
_AHEAD_DAYS = 30
_REACHABLE_DAYS = 44
_BOOK_SHARE = 0.15
_URGENT_SHARE = 0.05
_HORIZONS = (30, 60, 90)
_SHARES = (0.05, 0.1, 0.2)
_HEALTHY = BAND_ORDER.index("healthy")

CAUSE_MEASURES: dict[str, tuple[str, ...]] = {
    "decay": ("usage.", "people.", "seats."),
    "champion": ("people.", "engagement.champion", "champion"),
    "onboarding": ("onboarding", "seats.", "usage.breadth"),
    "tickets": ("support.", "urgent_ticket", "escalated", "surveys.csat"),
    "errors": ("performance.",),
    "payment": ("billing.payment", "billing.overdue", "billing.owed", "overdue"),
    "price": ("revenue.", "billing.commitment", "billing.signals", "billing.renewal"),
    "reorganisation": ("people.", "usage.breadth", "usage.drop"),
    "competitor": ("engagement.", "usage."),
}
"""The measures and caps, by the beginning of their names, that name each cause; chance has none."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure, its 95 % interval over accounts, and how many observations it rests on."""

    name: str
    value: float
    low: float
    high: float
    count: int


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


def evaluate(
    published: Published, fates: tuple[Fate, ...], start: int, *, planted: bool = True
) -> Iterator[Figure]:
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
        yield _figure(
            f"AUC, trouble for {_AT_WORK_DAYS} days or longer",
            who[judged],
            _auc(risk[judged], trouble[judged]),
        )
    for days, churn in churns.items():
        yield _figure(f"AUC, churn within {days} days", who, _auc(risk, churn))
    bad = churns[90] | trouble
    for share in _SHARES:
        yield _figure(f"true among the riskiest {share:.0%}", who, _precision(risk, bad, share))
        yield _figure(
            f"churn within 90 days found in the riskiest {share:.0%}", who, _recall(risk, churns[90], share)
        )
    if planted:
        yield from _reached(published, seen, start)
    yield from _bands(seen, still_open)
    yield from _alerts(published, seen, start)
    if planted:
        yield from _named(published, seen, fates)


def baseline_figures(
    seen: Observations, risks: NDArray[np.float64], *, planted: bool = True
) -> Iterator[Figure]:
    """Yield the AUCs of a baseline, given as risks by week and account; unknown ones are of middling risk."""
    risk = risks[(seen.day - FIRST_DAY) // EVERY_DAYS, seen.who]
    known = ~np.isnan(risk)
    risk = np.where(known, risk, np.median(risk[known]) if known.any() else 0.0)
    still_open = seen.labels.open
    trouble, calm = seen.labels.in_trouble(_AT_WORK_DAYS), seen.labels.calm()
    judged = still_open & (trouble | calm)
    if planted:
        yield _figure(
            f"AUC, trouble for {_AT_WORK_DAYS} days or longer",
            seen.who[judged],
            _auc(risk[judged], trouble[judged]),
        )
    for days in _HORIZONS:
        churn = seen.labels.churns_within(days)
        yield _figure(
            f"AUC, churn within {days} days",
            seen.who[still_open],
            _auc(risk[still_open], churn[still_open]),
        )


def _figure(name: str, groups: NDArray[np.int64], metric: Callable[[NDArray[np.int64]], float]) -> Figure:
    everything = np.arange(len(groups))
    if not len(groups):
        return Figure(name, float("nan"), float("nan"), float("nan"), 0)
    return Figure(name, metric(everything), *interval(metric, groups), len(groups))


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


def _share(flags: NDArray[np.bool_]) -> Callable[[NDArray[np.int64]], float]:
    return lambda rows: float(flags[rows].mean())


def _reached(published: Published, seen: Observations, start: int) -> Iterator[Figure]:
    """Yield how many churners, whose cause began early enough, are flagged 30 days before they leave."""
    times = seen.times
    leaves = (times.leaves - start) // DAY
    reachable = np.nonzero(
        (leaves < len(published.scores))
        & (leaves - (times.onset - start) // DAY >= _REACHABLE_DAYS)
        & (leaves - _AHEAD_DAYS >= FIRST_DAY)
    )[0]
    flagged = []
    for place in reachable:
        day = leaves[place] - _AHEAD_DAYS
        book = published.scores[day]
        present = ~np.isnan(book) & (times.leaves > start + day * DAY)
        edge = np.quantile(book[present], _BOOK_SHARE)
        flagged.append(bool(book[place] <= edge and book[place] < book[present].max()))
    yield _figure(
        f"reachable churners in the riskiest {_BOOK_SHARE:.0%}, {_AHEAD_DAYS} days ahead",
        reachable,
        _share(np.array(flagged, bool)),
    )


def _bands(seen: Observations, still_open: NDArray[np.bool_]) -> Iterator[Figure]:
    """Yield which bands churners and calm accounts were shown in."""
    ahead = (seen.times.leaves[seen.who] - seen.at) / DAY
    late = still_open & (ahead > 30) & (ahead <= 60)
    yield _figure(
        "churners called healthy 31 to 60 days before they leave",
        seen.who[late],
        _share(seen.band[late] == _HEALTHY),
    )
    calm = still_open & seen.labels.calm() & (seen.band != UNKNOWN)
    yield _figure("calm accounts called at risk or critical", seen.who[calm], _share(seen.band[calm] < 2))
    everyone = still_open
    yield _figure(
        "the book called at risk or critical",
        seen.who[everyone],
        _share((seen.band[everyone] < 2) & (seen.band[everyone] != UNKNOWN)),
    )


def _alerts(published: Published, seen: Observations, start: int) -> Iterator[Figure]:
    """Yield how many calm accounts have an open alert, and how many alerts come true."""
    days = len(published.scores)
    having = np.zeros((days, len(published.accounts)), bool)
    for span in published.alerts:
        having[span.opened : days if span.ended is None else span.ended, span.account] = True
    calm = seen.labels.open & seen.labels.calm()
    yield _figure(
        "calm accounts with an open alert", seen.who[calm], _share(having[seen.day[calm], seen.who[calm]])
    )
    spans = [span for span in published.alerts if span.opened >= FIRST_DAY]
    who = np.array([span.account for span in spans], np.int64)
    at = start + (np.array([span.opened for span in spans], np.int64) + 1) * DAY - 1
    labels = Labels(seen.times, who, at)
    early = labels.open
    true = labels.churns_within(90) | labels.in_trouble(0)
    yield _figure("alerts before any notice that come true", who[early], _share(true[early]))
    weeks = (days - FIRST_DAY) / 7
    rate = len(spans) / max(1, len(published.accounts)) / weeks * 100
    yield Figure("alerts a week for 100 accounts", rate, float("nan"), float("nan"), len(spans))


def _named(published: Published, seen: Observations, fates: tuple[Fate, ...]) -> Iterator[Figure]:
    """Yield how often the first three reasons name the planted cause once it has been at work for 30 days."""
    working = seen.labels.open & seen.labels.in_trouble(30)
    rows = [row for row in np.nonzero(working)[0] if fates[seen.who[row]].cause in CAUSE_MEASURES]
    named = np.array(
        [
            any(
                name.startswith(CAUSE_MEASURES[fates[seen.who[row]].cause or ""])
                for name in published.causes[seen.day[row]][seen.who[row]]
            )
            for row in rows
        ],
        bool,
    )
    yield _figure("planted cause among the first three reasons", seen.who[rows], _share(named))
