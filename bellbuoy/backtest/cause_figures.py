"""Figures of causes: how often the planted one is among the first reasons, and what is named instead."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bellbuoy.backtest.figure import Figure, Measurement, share_of
from bellbuoy.backtest.fold import Published
from bellbuoy.backtest.observations import Observations
from bellbuoy.simulator.worlds.fates import Fate

__all__ = ["CAUSE_MEASURES", "CauseNamed", "by_cause", "cause_figure", "names_cause"]

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

_AT_WORK_DAYS = 30
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class CauseNamed:
    """
    The share of observations whose first three reasons name a cause, and what comes first in the others.

    ``instead`` are the three most frequent ones, with their share of all observations of the cause; ``""`` is
    no reason at all.
    """

    named: Figure
    instead: tuple[tuple[str, float], ...]


def names_cause(cause: str, names: tuple[str, ...]) -> bool:
    """Tell whether one of these measures and caps names a cause."""
    return any(name.startswith(CAUSE_MEASURES[cause]) for name in names)


def cause_figure(published: Published, seen: Observations, fates: tuple[Fate, ...]) -> Measurement:
    """Return how often the first three reasons name a cause that has been at work for 30 days."""
    rows, named = _named(published, seen, fates)
    return Measurement("planted cause among the first three reasons", seen.who[rows], share_of(named))


def by_cause(published: Published, seen: Observations, fates: tuple[Fate, ...]) -> dict[str, CauseNamed]:
    """Return of each cause how often it is named, and what is named first where it is not."""
    rows, named = _named(published, seen, fates)
    causes = np.array([fates[who].cause for who in seen.who[rows]], object)
    found = {}
    for cause in sorted(set(causes.tolist())):
        here = causes == cause
        missed = rows[here & ~named]
        instead = Counter(
            next(iter(published.causes[seen.day[row]][seen.who[row]]), "") for row in missed.tolist()
        )
        found[cause] = CauseNamed(
            Measurement(cause, seen.who[rows[here]], share_of(named[here])).figure(),
            tuple((name, count / int(here.sum())) for name, count in instead.most_common(_SHOWN)),
        )
    return found


def _named(
    published: Published, seen: Observations, fates: tuple[Fate, ...]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the observations of causes that have signs and have been at work, and which name theirs."""
    working = seen.labels.open & seen.labels.in_trouble(_AT_WORK_DAYS)
    rows = np.array(
        [row for row in np.nonzero(working)[0] if fates[seen.who[row]].cause in CAUSE_MEASURES], np.int64
    )
    named = [
        names_cause(fates[seen.who[row]].cause or "", published.causes[seen.day[row]][seen.who[row]])
        for row in rows
    ]
    return rows, np.array(named, bool)
