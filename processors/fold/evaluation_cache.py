"""
What is remembered of an account between two judgements, so that a busy one need not be looked at whole.

Most batches bring an account nothing but more usage. Then only the measures are asked again that read what
changed of it: a day of known people doing known things leaves who was active when as it was. The others stay
what they were until time alone changes them, which is never before the account is due nor before midnight
(``tests/property/processors/test_due.py``). So remembering changes no byte of what is said and stored, only
the time that takes (``tests/property/processors/test_evaluation_cache.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from processors.fold.due import other_due, soonest, turn, usage_due
from processors.fold.models_in_force import Models
from processors.measures import MeasureValue, View
from processors.model import Model, Plan
from processors.observe import bound
from processors.silent_sources import NOTHING_HELD, FrozenSources, frozen_values
from processors.state.account import State, arrange, arrange_usage
from processors.state.encoding_cache import EncodingCache
from processors.state.usage_parts import FEATURES, PAST, TODAY, USERS
from schemas.times import DAY

__all__ = ["Evaluation", "LoadedAccount", "evaluate"]


class Evaluation(NamedTuple):
    """
    An account as it was found at a moment: its plan, the facts in the order of ``plan.reads``, the view.

    ``other_due`` is the next time at which time alone may change a fact that usage doesn't inform, ``turn``
    that after the next midnight. ``sizes`` counts the days, users and features. ``held`` are the silent
    sources. ``again`` says that only usage came since it was found before.
    """

    model: Model
    plan: Plan
    facts: list[MeasureValue]
    view: View
    other_due: int | None
    turn: int | None
    sizes: tuple[int, int, int]
    held: FrozenSources = NOTHING_HELD
    again: bool = False

    @property
    def due(self) -> int | None:
        """The next time to look at the account again."""
        return soonest(usage_due(self.view.state, self.view.now), self.other_due, self.turn)

    def holds(self, now: int) -> bool:
        """Tell whether *now*, later on, is before time alone changes any fact that usage doesn't inform."""
        return (
            now // DAY == self.view.today
            and (self.other_due is None or now < self.other_due)
            and self.turn is not None
            and now < self.turn
        )


@dataclass(slots=True)
class LoadedAccount:
    """
    An account in use: its state as a value, and how it was found last, where that is known.

    ``unchanged`` is what may be copied when the state is encoded; not before only usage came.
    """

    state: State
    found: Evaluation | None = None
    unchanged: EncodingCache | None = None


def evaluate(
    account: LoadedAccount,
    now: int,
    models: Models,
    *,
    usage_only: bool,
    changed: int = TODAY,
    held: FrozenSources = NOTHING_HELD,
) -> Evaluation:
    """
    Bring the state into its bounds and its order, and return how the account is found at *now*.

    ``usage_only`` says that nothing but usage came since it was last looked at, ``changed`` which parts of it
    changed: ``PAST`` when not all of it was of the day of *now*. What ``held`` sources inform is as it was
    when they were last heard.
    """
    before = account.found
    if usage_only and not held and before is not None and not before.held and before.holds(now):
        found = _again(account, before, now, models, changed)
        if found is not None:
            account.found = found
            return found
    account.found, account.unchanged = _whole(account.state, now, models, held), None
    return account.found


def _whole(state: State, now: int, models: Models, held: FrozenSources) -> Evaluation:
    bound(state)
    arrange(state)  # what is said of an account never depends on the order in which things were heard
    view = View(state, now)
    model = models.of(view)
    plan = model.for_account(view)
    facts = frozen_values(plan.reads, view, held)
    return Evaluation(
        model,
        plan,
        facts,
        view,
        other_due(state, now),
        turn(state, now),
        _sizes(state),
        held,
    )


def _again(
    account: LoadedAccount, before: Evaluation, now: int, models: Models, changed: int
) -> Evaluation | None:
    """Return how an account is found after more usage; ``None`` when another plan is for it now."""
    state = account.state
    sizes = _sizes(state)
    if sizes != before.sizes:
        bound(state)
        arrange_usage(state)
        sizes, changed = _sizes(state), TODAY | PAST | USERS | FEATURES
    if account.unchanged is None:
        account.unchanged = EncodingCache()
    account.unchanged.forget(changed, before.view.today)
    view = before.view.later(now, changed=changed)
    model = models.of(view)
    plan = model.for_account(view)
    if plan is not before.plan:
        return None
    facts = before.facts.copy()
    for place, reads in plan.by_usage:
        if reads & changed:
            facts[place] = plan.reads[place](view)
    return Evaluation(model, plan, facts, view, before.other_due, before.turn, sizes, again=True)


def _sizes(state: State) -> tuple[int, int, int]:
    usage = state.usage
    return len(usage.days), len(usage.users), len(usage.features)
