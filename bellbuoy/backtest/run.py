"""Run of a backtest: one world, over all its seeds, and one model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bellbuoy.backtest.alert_figures import by_rule, fault_figures
from bellbuoy.backtest.baselines import (
    BASELINES,
    LEARNERS,
    TrainingWorld,
    baseline_risk,
    learned_risk,
    measure_values,
)
from bellbuoy.backtest.cause_figures import CauseNamed, by_cause
from bellbuoy.backtest.evaluate import HEADLINES, baseline_figures, evaluate
from bellbuoy.backtest.figure import Figure
from bellbuoy.backtest.fold import History, Published, fold_days
from bellbuoy.backtest.observations import EVERY_DAYS, FIRST_DAY, Observations
from bellbuoy.backtest.pooling import ObservedWorld, of_accounts, pooled
from bellbuoy.backtest.reliability import HORIZON_DAYS, Reliability, measure_reliability
from bellbuoy.errors import ConfigError
from bellbuoy.simulator.worlds.world import World
from processors.model import Model
from processors.rules import DEFAULT_RULES, RuleSet
from schemas.times import DAY

__all__ = [
    "BacktestRun",
    "LeakError",
    "check_no_future",
    "observe_world",
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
    The figures of one world and model, over all seeds of the world together.

    ``by_segment`` are the HEADLINES of each segment. ``by_baseline`` are the AUCs of each baseline,
    ``by_rule`` is how often each rule's alerts come true, ``by_cause`` how often each cause is named.
    ``reliability`` is that of the model's probabilities of churn, ``None`` where it states none.
    """

    world: str
    seeds: tuple[int, ...]
    model: str
    rules: str
    accounts: int
    days: int
    churners: int
    figures: tuple[Figure, ...]
    by_segment: dict[str, tuple[Figure, ...]]
    by_baseline: dict[str, tuple[Figure, ...]]
    by_rule: dict[str, Figure]
    by_cause: dict[str, CauseNamed]
    reliability: Reliability | None = None

    @property
    def title(self) -> str:
        """The world and its seeds."""
        return f"{self.world}, seed{'s' if len(self.seeds) > 1 else ''} {', '.join(map(str, self.seeds))}"


def run_backtests(
    worlds: Sequence[History],
    model: Model,
    progress: Callable[[History, int], None] = lambda _, __: None,
    rules: RuleSet = DEFAULT_RULES,
) -> list[BacktestRun]:
    """
    Run a backtest in each world; the seeds of one world are one run.

    Where there are several worlds, or several seeds of one, what learns from the others stands beside it.
    """
    runs: dict[str, list[ObservedWorld]] = {}
    for history in worlds:
        observed = observe_world(history, model, partial(progress, history), rules)
        runs.setdefault(history.name, []).append(observed)
    together = {name: pooled(seeds) for name, seeds in runs.items()}
    samples = {name: _sample(world) for name, world in together.items()}
    found = []
    for name, world in together.items():
        others = [sample for other, sample in samples.items() if other != name]
        learned = _learned(world, others) | _learned_of_itself(world, runs[name])
        found.append(_evaluated(world, runs[name], model, learned))
    return found


def run_backtest(
    world: History, model: Model, progress: Callable[[int], None] = lambda _: None
) -> BacktestRun:
    """Return the backtest of one world and seed."""
    observed = observe_world(world, model, progress)
    return _evaluated(observed, [observed], model, {})


def observe_world(
    world: History,
    model: Model,
    progress: Callable[[int], None] = lambda _: None,
    rules: RuleSet = DEFAULT_RULES,
) -> ObservedWorld:
    """
    Fold a world under a model and alert rules; return what it published.

    ``progress`` is called with the number of days that are folded. Needs at least FIRST_DAY days.
    """
    published: Published | None = None
    weeks: list[NDArray[np.float64]] = []
    for number, (published, partition) in enumerate(fold_days(world, model, rules)):
        if number >= FIRST_DAY and (number - FIRST_DAY) % EVERY_DAYS == 0:
            weeks.append(measure_values(partition, published.accounts, partition.position.written_at))
        progress(number + 1)
    if published is None or world.days <= FIRST_DAY:
        raise ConfigError(
            f"a backtest needs a history of more than {FIRST_DAY} days, and {world.name} has {world.days}: "
            "give a longer one"
        )
    seeds = np.full(len(world.fates), world.seed)
    sound = world.without_faults() if isinstance(world, World) else None
    return ObservedWorld(
        name=world.name,
        start=world.start,
        planted=world.planted,
        published=published,
        fates=world.fates,
        values=np.array(weeks),
        seeds=seeds,
        sound=None if sound is None else _published(sound, model, rules),
    )


def _published(world: History, model: Model, rules: RuleSet) -> Published:
    """Return what is published in a world by its end."""
    *_, (published, _) = fold_days(world, model, rules)
    return published


def _evaluated(
    world: ObservedWorld,
    seeds: Sequence[ObservedWorld],
    model: Model,
    learned: dict[str, tuple[Figure, ...]],
) -> BacktestRun:
    seen = world.seen
    rows = world.rows(seen)
    return BacktestRun(
        world=world.name,
        seeds=tuple(int(seed.seeds[0]) for seed in seeds),
        model=f"{model.name} {model.version}",
        rules=f"{world.published.rules.name} {world.published.rules.version}",
        accounts=len(world.fates),
        days=len(world.published.scores),
        churners=sum(fate.churned_at is not None for fate in world.fates),
        figures=(*_figures(world, seeds), *_fault_figures(world)),
        by_segment=_by_segment(world),
        by_rule=by_rule(world.published, seen, world.start),
        by_cause=by_cause(world.published, seen, world.fates) if world.planted else {},
        by_baseline={name: _baseline(seen, baseline_risk(name, rows), world) for name in BASELINES} | learned,
        reliability=_reliability(world, seen),
    )


def _figures(world: ObservedWorld, seeds: Sequence[ObservedWorld]) -> Iterator[Figure]:
    """Yield the figures of all seeds together, each with its values in the single ones."""
    alone: list[dict[str, float]] = []
    if len(seeds) > 1:
        alone = [
            {
                figure.name: figure.value
                for figure in evaluate(seed.published, seed.fates, seed.start, planted=seed.planted)
            }
            for seed in seeds
        ]
    for figure in evaluate(world.published, world.fates, world.start, planted=world.planted):
        yield figure.figure(tuple(values[figure.name] for values in alone))


def _baseline(seen: Observations, risk: NDArray[np.float64], world: ObservedWorld) -> tuple[Figure, ...]:
    return tuple(one.figure() for one in baseline_figures(seen, risk, planted=world.planted))


def _fault_figures(world: ObservedWorld) -> list[Figure]:
    """Return what dead feeds cost; nothing of a history, of which nobody knows which of its feeds died."""
    return list(fault_figures(world.published, world.sound)) if world.planted else []


def _by_segment(world: ObservedWorld) -> dict[str, tuple[Figure, ...]]:
    segments = np.array([fate.segment for fate in world.fates])
    found = {}
    for segment in sorted(set(segments.tolist())):
        part = of_accounts(world, segments == segment)
        figures = evaluate(part.published, part.fates, part.start, planted=part.planted)
        found[segment] = tuple(figure.figure() for figure in figures if figure.name in HEADLINES)
    return found if len(found) > 1 else {}


def _sample(world: ObservedWorld) -> TrainingWorld:
    seen = world.seen
    still_open = seen.labels.open
    return TrainingWorld(world.rows(seen)[still_open], seen.labels.churns_within(30)[still_open])


def _learned(world: ObservedWorld, others: Sequence[TrainingWorld]) -> dict[str, tuple[Figure, ...]]:
    """Return the figures of what learned from other worlds."""
    seen, found = world.seen, {}
    for name in LEARNERS:
        risk = learned_risk(name, others, world.rows(seen))
        if risk is not None:
            found[f"{name} of other worlds"] = _baseline(seen, risk, world)
    return found


def _learned_of_itself(world: ObservedWorld, seeds: Sequence[ObservedWorld]) -> dict[str, tuple[Figure, ...]]:
    """Return the figures of what learned each seed's fates from the other seeds of the same world."""
    if len(seeds) < 2:
        return {}
    seen, rows, found = world.seen, world.rows(world.seen), {}
    of_row = world.seeds[seen.who]
    samples = {int(seed.seeds[0]): _sample(seed) for seed in seeds}
    for name in LEARNERS:
        risk = np.full(len(rows), np.nan)
        for number in samples:
            others = [sample for other, sample in samples.items() if other != number]
            learned = learned_risk(name, others, rows[of_row == number])
            if learned is not None:
                risk[of_row == number] = learned
        if not np.isnan(risk).any():
            title = f"{name} of other seeds of this world"
            found[title] = _baseline(seen, risk, world)
    return found


def _reliability(world: ObservedWorld, seen: Observations) -> Reliability | None:
    """Return the reliability of the probabilities whose 90 days the history covers."""
    stated = world.published.probabilities[seen.day, seen.who]
    left = seen.labels.churns_within(HORIZON_DAYS)
    followed = seen.at + HORIZON_DAYS * DAY <= world.start + len(world.published.scores) * DAY
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
