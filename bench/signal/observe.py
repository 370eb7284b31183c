"""
Observations of worlds: the values of all measures once a week, kept on disk between searches.

A world is folded once, by the observers alone; fits and comparisons of models read the file. Silent inputs
are not frozen here, so worlds whose feeds die look worse than they do to the worker.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bellbuoy.backtest.fold import History, journal_batch
from bellbuoy.backtest.labels import Labels, Times
from bellbuoy.backtest.observations import EVERY_DAYS, FIRST_DAY
from bellbuoy.simulator.worlds.fates import Fate
from bench.signal.candidates import CANDIDATES, WeeklyPeople, candidate_values
from processors.measures import MEASURES
from processors.observe import OBSERVERS, bound, evict, observe_usage
from processors.state.account import State
from processors.view import View
from schemas.records import JournalBatch
from schemas.times import DAY

__all__ = ["MEASURE_NAMES", "Observed", "observe", "observe_batch"]

MEASURE_NAMES = tuple(MEASURES)


@dataclass(slots=True)
class Observed:
    """
    Weekly observations of the customers of one world who have not given notice, a row each.

    ``values`` has a column for each of ``names``, NaN where it is not known. ``at`` is UTC milliseconds.
    """

    world: str
    seed: int
    names: tuple[str, ...]
    values: NDArray[np.float64]
    who: NDArray[np.int64]
    day: NDArray[np.int64]
    at: NDArray[np.int64]
    fates: tuple[Fate, ...]

    @property
    def times(self) -> Times:
        """The times of the fates."""
        return Times(self.fates)

    @property
    def labels(self) -> Labels:
        """What was true at each observation, and what came of it."""
        return Labels(self.times, self.who, self.at)

    def column(self, name: str) -> NDArray[np.float64]:
        """Return the values of a measure."""
        return np.asarray(self.values[:, self.names.index(name)], float)


def observe(history: History, cache: Path | None = None) -> Observed:
    """Return the observations of a world, from the file of an earlier call where there is one."""
    path = None
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)
        path = cache / f"{history.name}-{history.seed}-{len(history.fates)}-{history.days}.pickle"
        if path.exists():
            return pickle.loads(path.read_bytes())  # type: ignore[no-any-return]  # noqa: S301 - our own
    observed = _fold(history)
    if path is not None:
        path.write_bytes(pickle.dumps(observed, protocol=5))
    return observed


def observe_batch(states: Mapping[tuple[str, str], State], batch: JournalBatch) -> None:
    """Fold the events of a batch into the states of their accounts, where these are among them."""
    for cell in batch.usage:
        if (cell.tenant, cell.account_id) in states:
            observe_usage(states[cell.tenant, cell.account_id], cell)
    for name, observer in OBSERVERS:
        for event in getattr(batch, name):
            if (event.tenant, event.account_id) in states:
                observer(states[event.tenant, event.account_id], event)


def _fold(history: History) -> Observed:
    times = Times(history.fates)
    places = {(fate.tenant, fate.account_id): place for place, fate in enumerate(history.fates)}
    states = {key: State(tenant=key[0], account_id=key[1]) for key in places}
    people = WeeklyPeople()
    rows: list[list[float]] = []
    who: list[int] = []
    days: list[int] = []
    ats: list[int] = []
    for day in history.days_of_events():
        batch = journal_batch(day)
        observe_batch(states, batch)
        for cell in batch.usage:
            people.add(places[cell.tenant, cell.account_id], cell)
        if day.number < FIRST_DAY or (day.number - FIRST_DAY) % EVERY_DAYS:
            continue
        now = batch.written_at
        for place, state in enumerate(states.values()):
            if not state.known or now >= times.told[place]:
                continue
            evict(state, now)
            bound(state)
            rows.append(_values(state, now, people.change(place, now // DAY)))
            who.append(place)
            days.append(day.number)
            ats.append(now)
    names = (*MEASURE_NAMES, *CANDIDATES)
    return Observed(
        history.name, history.seed, names, np.array(rows), np.array(who), np.array(days), np.array(ats),
        history.fates,
    )  # fmt: skip


def _values(state: State, now: int, people: float) -> list[float]:
    view = View(state, now)
    values = [MEASURES[name](view).value for name in MEASURE_NAMES]
    known = [np.nan if value is None else float(value) for value in values]
    return known + candidate_values(view, people)
