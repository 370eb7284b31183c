"""Pooling: several runs of a world as one, and the accounts of one segment by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from bellbuoy.backtest.fold import Published
from bellbuoy.backtest.observations import EVERY_DAYS, FIRST_DAY, Observations
from bellbuoy.simulator.worlds.fates import Fate

__all__ = ["ObservedWorld", "of_accounts", "pooled"]


@dataclass(frozen=True, slots=True)
class ObservedWorld:
    """
    A world with what its fold published, and the fates of its accounts.

    ``values`` are those of all measures, by week, account and measure. ``start`` is UTC milliseconds;
    ``seeds`` is the seed of each account. ``planted``: the causes of churn are known. ``sound`` is what
    the same world publishes when its feeds never die, ``None`` where they never do.
    """

    name: str
    start: int
    planted: bool
    published: Published
    fates: tuple[Fate, ...]
    values: NDArray[np.float64]
    seeds: NDArray[np.int64]
    sound: Published | None = None

    @property
    def seen(self) -> Observations:
        """The weekly observations of the accounts."""
        return Observations(self.published, self.fates, self.start)

    def rows(self, seen: Observations) -> NDArray[np.float64]:
        """Return the values of all measures, a row for each observation."""
        return np.asarray(self.values[(seen.day - FIRST_DAY) // EVERY_DAYS, seen.who], float)


def pooled(runs: Sequence[ObservedWorld]) -> ObservedWorld:
    """Return runs of one world, all of the same days, as one world with the accounts of all."""
    if len(runs) == 1:
        return runs[0]
    sound = [run.sound for run in runs if run.sound is not None]
    return replace(
        runs[0],
        published=_together([run.published for run in runs]),
        sound=_together(sound) if len(sound) == len(runs) else None,
        fates=tuple(fate for run in runs for fate in run.fates),
        values=np.concatenate([run.values for run in runs], axis=1),
        seeds=np.concatenate([run.seeds for run in runs]),
    )


def _together(published: Sequence[Published]) -> Published:
    first, alerts = 0, []
    for one in published:
        alerts += [replace(span, account=span.account + first) for span in one.alerts]
        first += len(one.accounts)
    return Published(
        accounts=tuple(account for one in published for account in one.accounts),
        scores=np.hstack([one.scores for one in published]),
        bands=np.hstack([one.bands for one in published]),
        causes=[
            list(chain.from_iterable(days)) for days in zip(*(one.causes for one in published), strict=True)
        ],
        alerts=alerts,
        probabilities=np.hstack([one.probabilities for one in published]),
        rules=published[0].rules,
    )


def of_accounts(world: ObservedWorld, chosen: NDArray[np.bool_]) -> ObservedWorld:
    """Return a world with only these accounts."""
    places = np.nonzero(chosen)[0].tolist()
    new = {place: number for number, place in enumerate(places)}
    published = world.published
    return replace(
        world,
        published=Published(
            accounts=tuple(published.accounts[place] for place in places),
            scores=published.scores[:, chosen],
            bands=published.bands[:, chosen],
            causes=[[of_day[place] for place in places] for of_day in published.causes],
            alerts=[
                replace(span, account=new[span.account]) for span in published.alerts if span.account in new
            ],
            probabilities=published.probabilities[:, chosen],
            rules=published.rules,
        ),
        fates=tuple(world.fates[place] for place in places),
        values=world.values[:, chosen],
        seeds=world.seeds[chosen],
        sound=None,
    )
