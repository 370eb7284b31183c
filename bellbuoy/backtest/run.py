"""Run of a backtest: one world, one seed, one model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bellbuoy.backtest.baselines import (
    BASELINES,
    LEARNERS,
    TrainingWorld,
    baseline_risk,
    learned_risk,
    measure_values,
)
from bellbuoy.backtest.evaluate import (
    EVERY_DAYS,
    FIRST_DAY,
    Figure,
    Observations,
    baseline_figures,
    by_rule,
    evaluate,
    opened_by_faults,
)
from bellbuoy.backtest.fold import History, Published, fold_days
from bellbuoy.backtest.reliability import HORIZON_DAYS, Reliability, measure_reliability
from bellbuoy.errors import ConfigError
from bellbuoy.simulator.worlds.world import World
from processors.model import Model
from schemas.times import DAY

__all__ = [
    "BacktestRun",
    "LeakError",
    "ObservedWorld",
    "check_no_future",
    "run_backtest",
    "run_backtests",
]


class LeakError(Exception):
    """
    A score depends on what happened after it: the backtest would be too good to be true.

    Operator action: none; this is a fault of the model's machinery, to be reported.
    """


@dataclass(frozen=True, slots=True)
class BacktestRun:
    """
    The figures of one world, seed and model.

    ``by_baseline`` are the AUCs of each baseline, ``by_rule`` is how often each rule's alerts come true.
    ``reliability`` is that of the model's probabilities of churn, ``None`` where it states none.
    """

    world: str
    seed: int
    model: str
    accounts: int
    days: int
    churners: int
    figures: tuple[Figure, ...]
    by_baseline: dict[str, tuple[Figure, ...]]
    by_rule: dict[str, Figure]
    reliability: Reliability | None = None


@dataclass(frozen=True, slots=True)
class ObservedWorld:
    """Observations of one world: who, when and what was true, with the values of all measures by week."""

    seen: Observations
    values: NDArray[np.float64]
    planted: bool

    def rows(self) -> NDArray[np.float64]:
        """Return the values of all measures, a row for each observation."""
        return np.asarray(self.values[(self.seen.day - FIRST_DAY) // EVERY_DAYS, self.seen.who], float)


def run_backtests(
    worlds: Sequence[History], model: Model, progress: Callable[[History, int], None] = lambda _, __: None
) -> list[BacktestRun]:
    """Run a backtest in each world; where there are several, what learns from the others stands beside it."""
    done = [observe_world(world, model, lambda day, world=world: progress(world, day)) for world in worlds]  # type: ignore[misc]
    runs = []
    for place, (run, observed) in enumerate(done):
        others = [
            TrainingWorld(
                other.rows()[other.seen.labels.open],
                other.seen.labels.churns_within(30)[other.seen.labels.open],
            )
            for number, (_, other) in enumerate(done)
            if number != place and worlds[number].name != worlds[place].name
        ]
        learned: dict[str, tuple[Figure, ...]] = {}
        for name in LEARNERS:
            risk = learned_risk(name, others, observed.rows())
            if risk is not None:
                learned[name] = tuple(baseline_figures(observed.seen, risk, planted=observed.planted))
        runs.append(replace(run, by_baseline=run.by_baseline | learned))
    return runs


def run_backtest(
    world: History, model: Model, progress: Callable[[int], None] = lambda _: None
) -> BacktestRun:
    """Return the backtest of one world."""
    return observe_world(world, model, progress)[0]


def observe_world(
    world: History, model: Model, progress: Callable[[int], None] = lambda _: None
) -> tuple[BacktestRun, ObservedWorld]:
    """
    Fold a world under a model and evaluate what it published.

    ``progress`` is called with the number of days that are folded. Needs at least FIRST_DAY days.
    """
    published: Published | None = None
    weeks: list[NDArray[np.float64]] = []
    for number, (published, partition) in enumerate(fold_days(world, model)):
        if number >= FIRST_DAY and (number - FIRST_DAY) % EVERY_DAYS == 0:
            weeks.append(measure_values(partition, published.accounts, partition.position.written_at))
        progress(number + 1)
    if published is None or world.days <= FIRST_DAY:
        raise ConfigError(
            f"a backtest needs a history of more than {FIRST_DAY} days, and {world.name} has {world.days}: "
            "give a longer one"
        )
    seen = Observations(published, world.fates, world.start)
    observed = ObservedWorld(seen, np.array(weeks), world.planted)
    rows = observed.rows()
    sound = world.without_faults() if isinstance(world, World) else None
    by_faults = opened_by_faults(published, None if sound is None else _published(sound, model))
    run = BacktestRun(
        world=world.name,
        seed=world.seed,
        model=f"{model.name} {model.version}",
        accounts=len(world.fates),
        days=world.days,
        churners=sum(fate.churned_at is not None for fate in world.fates),
        figures=(*evaluate(published, world.fates, world.start, planted=world.planted), by_faults),
        by_rule=by_rule(published, seen, world.start),
        by_baseline={
            name: tuple(baseline_figures(seen, baseline_risk(name, rows), planted=world.planted))
            for name in BASELINES
        },
        reliability=_reliability(published, seen, world),
    )
    return run, observed


def _published(world: History, model: Model) -> Published:
    """Return what is published in a world by its end."""
    *_, (published, _) = fold_days(world, model)
    return published


def _reliability(published: Published, seen: Observations, world: History) -> Reliability | None:
    """Return the reliability of the probabilities whose 90 days the history covers."""
    stated = published.probabilities[seen.day, seen.who]
    left = seen.labels.churns_within(HORIZON_DAYS)
    followed = seen.at + HORIZON_DAYS * DAY <= world.start + world.days * DAY
    known = seen.labels.open & ~np.isnan(stated) & followed
    return measure_reliability(stated[known], left[known], seen.who[known])


def check_no_future(whole: Published, prefix: Published) -> None:
    """
    Compare a fold with that of the same world cut short: what was published before the cut must be equal.

    Raises LeakError, naming the first account and day that differ.
    """
    days = len(prefix.scores)
    same = (whole.scores[:days] == prefix.scores) | (np.isnan(whole.scores[:days]) & np.isnan(prefix.scores))
    same &= whole.bands[:days] == prefix.bands
    if not same.all():
        day, place = map(int, np.argwhere(~same)[0])
        raise LeakError(
            f"the score of {whole.accounts[place][1]} on day {day} depends on later days: "
            f"{whole.scores[day, place]:g} with them, {prefix.scores[day, place]:g} without"
        )
