"""Evaluation of what was published in a world against its truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bellbuoy.backtest.fold import UNKNOWN, Published
from bellbuoy.backtest.labels import Labels, Times
from bellbuoy.backtest.metrics import auc, interval, precision_recall, worth_found
from bellbuoy.simulator.worlds.fates import Fate
from processors.rules import DEFAULT_RULES
from schemas.records import BAND_ORDER
from schemas.times import DAY

__all__ = [
    "CAUSE_MEASURES",
    "EVERY_DAYS",
    "FIRST_DAY",
    "Figure",
    "Observations",
    "baseline_figures",
    "by_rule",
    "evaluate",
    "opened_by_faults",
]

FIRST_DAY = 84
"""Days of a world that are not evaluated: the model has no past to compare with yet."""

EVERY_DAYS = 7
"""An account is observed once a week."""

_AT_WORK_DAYS = 14
_AHEAD_DAYS = 30
_REACHABLE_DAYS = 44
_REOPENED_DAYS = 30
_NEAR_DAYS = 14
_BOOK_SHARE = 0.15
_URGENT_SHARE = 0.05
_HORIZONS = (30, 60, 90)
_SHARES = (0.05, 0.1, 0.2)
_TIERS = {
    "urgent alert": ("critical",),
    "urgent or watched alert": ("critical", "warning"),
    "alert": ("critical", "warning", "notice"),
}
"""Alerts by how bad they are; a notice is for another desk, or not worth a call yet."""

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
    bad, arr = churns[90] | trouble, seen.times.arr[who]
    for share in _SHARES:
        yield _figure(f"true among the riskiest {share:.0%}", who, _precision(risk, bad, share))
        yield _figure(
            f"churn within 90 days found in the riskiest {share:.0%}", who, _recall(risk, churns[90], share)
        )
        yield _figure(
            f"its ARR found in the riskiest {share:.0%}", who, _arr_found(risk, churns[90], arr, share)
        )
    if planted:
        yield from _reached(published, seen, start)
        yield from _delays(published, seen, start)
    yield from _bands(seen, still_open)
    yield from _alerts(published, seen, start)
    if planted:
        yield from _named(published, seen, fates)


def baseline_figures(
    seen: Observations, risks: NDArray[np.float64], *, planted: bool = True
) -> Iterator[Figure]:
    """Yield the AUCs of a baseline, given as each observation's risk; unknown ones are of middling risk."""
    known = ~np.isnan(risks)
    risk = np.where(known, risks, np.median(risks[known]) if known.any() else 0.0)
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


def _arr_found(
    risk: NDArray[np.float64], positive: NDArray[np.bool_], arr: NDArray[np.float64], share: float
) -> Callable[[NDArray[np.int64]], float]:
    return lambda rows: worth_found(risk[rows], positive[rows], arr[rows], share)


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
    churn = seen.labels.churns_within(90)
    for place, name in enumerate(BAND_ORDER):
        shown = still_open & (seen.band == place)
        yield _figure(f"churn within 90 days of those called {name}", seen.who[shown], _share(churn[shown]))
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
    calm, everyone = seen.labels.open & seen.labels.calm(), seen.labels.open
    for tier, severities in _TIERS.items():
        having = np.zeros((days, len(published.accounts)), bool)
        for span in published.alerts:
            if span.severity in severities:
                having[span.opened : days if span.ended is None else span.ended, span.account] = True
        for name, rows in (("the book", everyone), ("calm accounts", calm)):
            yield _figure(
                f"{name} with an open {tier}", seen.who[rows], _share(having[seen.day[rows], seen.who[rows]])
            )
    spans = [span for span in published.alerts if span.opened >= FIRST_DAY]
    for tier, severities in _TIERS.items():
        of_tier = [span for span in spans if span.severity in severities]
        who = np.array([span.account for span in of_tier], np.int64)
        at = start + (np.array([span.opened for span in of_tier], np.int64) + 1) * DAY - 1
        labels = Labels(seen.times, who, at)
        early = labels.open
        true = labels.churns_within(90) | labels.in_trouble(0)
        yield _figure(f"before any notice, each {tier} that comes true", who[early], _share(true[early]))
    weeks = (days - FIRST_DAY) / 7
    rate = len(spans) / max(1, len(published.accounts)) / weeks * 100
    yield Figure("alerts a week for 100 accounts", rate, float("nan"), float("nan"), len(spans))
    yield from _lives(published)


def opened_by_faults(published: Published, sound: Published | None) -> Figure:
    """
    Return how many alerts opened only because feeds died: the world without faults has none like it near.

    Like it is one of the same rule, or of rules of which one at a time is open on an account; near is open
    within two weeks. ``sound`` is what is published in that world; without one it is not known.
    """
    name, nan = "alerts that opened only because feeds died", float("nan")
    if sound is None:
        return Figure(name, nan, nan, nan, 0)
    days = len(published.scores)
    others: dict[tuple[int, str], list[tuple[int, int]]] = {}
    for span in sound.alerts:
        ended = days if span.ended is None else span.ended
        others.setdefault((span.account, _kind(span.rule)), []).append((span.opened, ended))
    only = [
        span
        for span in published.alerts
        if not any(
            opened - _NEAR_DAYS <= span.opened <= ended + _NEAR_DAYS
            for opened, ended in others.get((span.account, _kind(span.rule)), [])
        )
    ]
    nan = float("nan")
    return Figure(
        "alerts that opened only because feeds died", float(len(only)), nan, nan, len(published.alerts)
    )


def _kind(rule: str) -> str:
    known = DEFAULT_RULES.rules.get(rule)
    return rule if known is None or known.one_of is None else known.one_of


def by_rule(published: Published, seen: Observations, start: int) -> dict[str, Figure]:
    """Return of each rule how many of its alerts before any notice come true."""
    figures = {}
    for rule in sorted({span.rule for span in published.alerts}):
        spans = [span for span in published.alerts if span.rule == rule and span.opened >= FIRST_DAY]
        who = np.array([span.account for span in spans], np.int64)
        at = start + (np.array([span.opened for span in spans], np.int64) + 1) * DAY - 1
        labels = Labels(seen.times, who, at)
        early, true = labels.open, labels.churns_within(90) | labels.in_trouble(0)
        figures[rule] = _figure(rule, who[early], _share(true[early]))
    return figures


def _lives(published: Published) -> Iterator[Figure]:
    """Yield how many alerts that ended opened again within 30 days."""
    opened: dict[tuple[int, str], list[int]] = {}
    for span in published.alerts:
        opened.setdefault((span.account, span.rule), []).append(span.opened)
    last = len(published.scores) - _REOPENED_DAYS
    ended = [span for span in published.alerts if span.ended is not None and span.ended < last]
    again = [
        any(
            0 <= day - (span.ended or 0) <= _REOPENED_DAYS
            for day in opened[span.account, span.rule]
            if day > span.opened
        )
        for span in ended
    ]
    yield _figure(
        f"alerts that opened again within {_REOPENED_DAYS} days of their end",
        np.array([span.account for span in ended], np.int64),
        _share(np.array(again, bool)),
    )


def _delays(published: Published, seen: Observations, start: int) -> Iterator[Figure]:
    """Yield after how many days half of the causes at work for 44 days had an alert, and how many none."""
    times = seen.times
    first: dict[int, list[int]] = {}
    for span in sorted(published.alerts, key=lambda span: span.opened, reverse=True):
        first.setdefault(span.account, []).append(span.opened)
    who, delays = [], []
    for place in range(len(published.accounts)):
        onset, end = times.onset[place], min(times.leaves[place], times.saved[place])
        day = (onset - start) // DAY
        if (
            not day >= FIRST_DAY
            or (min(end, start + len(published.scores) * DAY) - onset) // DAY < _REACHABLE_DAYS
        ):
            continue
        later = [opened for opened in first.get(place, []) if opened >= day and start + opened * DAY < end]
        who.append(place)
        delays.append(min(later) - day if later else np.inf)
    found = np.array(delays)
    groups = np.array(who, np.int64)
    yield _figure(
        "days from the onset to an alert, half of the causes",
        groups,
        lambda rows: float(np.median(found[rows])),
    )
    yield _figure("causes at work for 44 days without an alert", groups, _share(np.isinf(found)))


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
