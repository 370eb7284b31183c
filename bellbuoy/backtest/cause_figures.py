"""Figures of causes: how often the planted one is among the first reasons, and what is named instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bellbuoy.backtest.figure import Figure, Measurement, share_of
from bellbuoy.backtest.fold import Published
from bellbuoy.backtest.labels import Labels
from bellbuoy.backtest.observations import Observations
from bellbuoy.simulator.worlds.fates import Fate

__all__ = [
    "CAUSE_MEASURES",
    "CauseNamed",
    "by_cause",
    "cause_figure",
    "cause_rows",
    "causes_named",
    "names_cause",
]

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


def cause_rows(
    labels: Labels, who: NDArray[np.int64], fates: Sequence[Fate]
) -> tuple[NDArray[np.int64], list[str]]:
    """Return the observations whose cause has signs and has been at work for 30 days, and these causes."""
    rows = np.nonzero(labels.open & labels.in_trouble(_AT_WORK_DAYS))[0].tolist()
    causes = {row: fates[who[row]].cause for row in rows}
    known = {row: cause for row, cause in causes.items() if cause in CAUSE_MEASURES}
    return np.array(list(known), np.int64), list(known.values())


def names_cause(cause: str, names: tuple[str, ...]) -> bool:
    """Tell whether one of these measures and caps, the first reasons, names a cause."""
    return any(name.startswith(CAUSE_MEASURES[cause]) for name in names)


def cause_figure(published: Published, seen: Observations, fates: tuple[Fate, ...]) -> Measurement:
    """Return how often the first three reasons name a cause that has been at work for 30 days."""
    rows, causes = cause_rows(seen.labels, seen.who, fates)
    named = [names_cause(*pair) for pair in zip(causes, _first(published, seen, rows), strict=True)]
    title = "planted cause among the first three reasons"
    return Measurement(title, seen.who[rows], share_of(np.array(named, bool)))


def by_cause(published: Published, seen: Observations, fates: tuple[Fate, ...]) -> dict[str, CauseNamed]:
    """Return of each cause how often it is named, and what is named first where it is not."""
    rows, causes = cause_rows(seen.labels, seen.who, fates)
    return causes_named(causes, seen.who[rows], _first(published, seen, rows))


def causes_named(
    causes: Sequence[str], who: NDArray[np.int64], names: Sequence[tuple[str, ...]]
) -> dict[str, CauseNamed]:
    """Return the same of observations, given as the cause, the account and the first reasons of each."""
    found = {}
    for cause in sorted(set(causes)):
        here = [place for place, each in enumerate(causes) if each == cause]
        named = np.array([names_cause(cause, names[place]) for place in here], bool)
        instead = Counter(
            next(iter(names[place]), "") for place, right in zip(here, named, strict=True) if not right
        )
        found[cause] = CauseNamed(
            Measurement(cause, who[here], share_of(named)).figure(),
            tuple((name, count / len(here)) for name, count in instead.most_common(_SHOWN)),
        )
    return found


def _first(published: Published, seen: Observations, rows: NDArray[np.int64]) -> list[tuple[str, ...]]:
    return [published.causes[seen.day[row]][seen.who[row]] for row in rows]
