"""Five accounts of different fates, as their score tells them and as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bellbuoy.backtest.fold import History, journal_batch
from bellbuoy.backtest.observations import FIRST_DAY
from bellbuoy.simulator.worlds.fates import Fate
from bench.signal.observe import observe_batch
from processors.model import Model
from processors.observe import bound, evict
from processors.scoring.score import Verdict, assess, settle
from processors.state.account import State
from schemas.times import DAY

__all__ = ["told"]

_AHEAD_DAYS = 30
_SHOWN = 3


def told(world: History, model: Model) -> Iterator[str]:
    """
    Yield the lines of one account of each kind of fate: what its score said on one day, and what was true.

    Of who left it is 30 days before the end, of who was saved the day before the rescue, of a calm one the
    middle of the world. It is the first such account of the world, so nobody chose those that are told well.
    """
    chosen = list(_chosen(world))
    days = {(fate.tenant, fate.account_id): day for _, fate, day in chosen}
    verdicts = _verdicts(world, model, days)
    for kind, fate, day in chosen:
        key = fate.tenant, fate.account_id
        if key not in verdicts:
            continue
        verdict, band = verdicts[key]
        yield f"{fate.account_id}, {fate.segment}: {kind}"
        yield f"  truth, day {day}: {_truth(fate, world.start, day)}"
        yield f"  score {verdict.score / 100:.1f}, {band.replace('_', ' ')}"
        worst = sorted(verdict.measures, key=lambda measure: measure.contribution)
        taken = {measure.reason: measure.contribution for measure in worst}
        for reason in verdict.reasons[:_SHOWN]:
            yield f"    {taken.get(reason, 0):+6.1f}  {reason}"
        if not verdict.reasons:
            yield "            nothing takes a point"


def _chosen(world: History) -> Iterator[tuple[str, Fate, int]]:
    wanted: dict[str, Callable[[Fate], bool]] = {
        "use faded, and it left": lambda fate: fate.cause == "decay" and fate.churned_at is not None,
        "it paid no more, and left": lambda fate: fate.cause == "payment" and fate.churned_at is not None,
        "its champion left, and it was saved": lambda fate: (
            fate.cause == "champion" and fate.saved_at is not None
        ),
        "it left almost without a sign": lambda fate: (
            fate.cause in ("chance", "competitor") and fate.churned_at is not None
        ),
        "calm": lambda fate: fate.cause is None,
    }
    for kind, fits in wanted.items():
        for fate in world.fates:
            if not fits(fate):
                continue
            day = world.days // 2
            if fate.churned_at is not None:
                day = (fate.churned_at - world.start) // DAY - _AHEAD_DAYS
            elif fate.saved_at is not None:
                day = (fate.saved_at - world.start) // DAY - 1
            began = day if fate.onset is None else (fate.onset - world.start) // DAY
            if day >= FIRST_DAY and began <= day:
                yield kind, fate, day
                break


def _verdicts(
    world: History, model: Model, days: dict[tuple[str, str], int]
) -> dict[tuple[str, str], tuple[Verdict, str]]:
    states = {key: State(tenant=key[0], account_id=key[1]) for key in days}
    found = {}
    for day in world.days_of_events():
        batch = journal_batch(day)
        observe_batch(states, batch)
        for key, state in states.items():
            evict(state, batch.written_at)
            bound(state)
            if days[key] == day.number:
                verdict = assess(state, batch.written_at, model)
                found[key] = verdict, settle(verdict, state, batch.written_at).band
    return found


def _truth(fate: Fate, start: int, day: int) -> str:
    if fate.cause is None or fate.onset is None:
        return "nothing was wrong"
    since = day - (fate.onset - start) // DAY
    cause = f"{fate.cause} since {since} days"
    if fate.churned_at is not None:
        return f"{cause}; left {(fate.churned_at - start) // DAY - day} days later"
    return f"{cause}; saved {((fate.saved_at or 0) - start) // DAY - day} day later"
