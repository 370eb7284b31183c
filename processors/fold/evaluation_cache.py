"""
Cache of an account's evaluation, so that new usage re-evaluates only the measures it affects.

Most batches bring an account nothing but more usage. Then only the measures are evaluated again that read a
part of the usage that changed: on a day of known users with known features, who was active when stays as it
was. The other values hold until time alone changes them, which is never before the account is due nor before
midnight (``tests/property/processors/test_due.py``). So the cache changes no byte of what is stored or
published (``tests/property/processors/test_evaluation_cache.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from processors.alerts.rules_memory import RulesMemory
from processors.fold.due import daily_due, earliest, other_due, usage_due
from processors.fold.models_in_force import Models
from processors.measures import MeasureValue
from processors.model import Model, Plan
from processors.observe import bound
from processors.scoring.score import Verdict, weigh
from processors.silent_sources import NOTHING_FROZEN, FrozenSources, frozen_values
from processors.state.account import State, arrange, arrange_usage
from processors.state.encoding_cache import EncodingCache
from processors.state.usage_parts import FEATURES, PAST, TODAY, USERS
from processors.view import NOTHING_LOST, LostDays, View
from schemas.times import DAY

__all__ = ["Evaluation", "LoadedAccount", "evaluate", "verdict_on"]


class Evaluation(NamedTuple):
    """
    An account evaluated at one time: its model and plan, and its measure values.

    ``values`` stand in the order of ``plan.reads``; while all stay equal it is the same list. ``other_due``
    is the next time at which time alone may change a value that usage doesn't inform, but for midnight;
    ``daily_due`` is the account's own time after the next midnight. ``usage_sizes`` counts its days, users
    and features. ``usage_only`` says that nothing but usage came since the evaluation before.
    """

    model: Model
    plan: Plan
    values: list[MeasureValue]
    view: View
    other_due: int | None
    daily_due: int | None
    usage_sizes: tuple[int, int, int]
    frozen: FrozenSources = NOTHING_FROZEN
    usage_only: bool = False

    @property
    def due(self) -> int | None:
        """The next time to evaluate the account again."""
        return earliest(usage_due(self.view.state, self.view.now), self.other_due, self.daily_due)

    def holds_at(self, now: int) -> bool:
        """Tell whether at *now*, some time later, every value still holds that usage doesn't inform."""
        return (
            now // DAY == self.view.today
            and (self.other_due is None or now < self.other_due)
            and self.daily_due is not None
            and now < self.daily_due
        )


@dataclass(slots=True)
class LoadedAccount:
    """
    An account in use: its state as a value, and its last evaluation, if there was one.

    ``encoding`` holds the bytes of the state that didn't change since it was encoded last; there is one once
    two evaluations followed each other with nothing but usage in between. ``verdict`` is the last one, if it
    holds as long as the values stay (``weighed``). ``rules`` is what alert rules read when they last changed
    nothing.
    """

    state: State
    evaluation: Evaluation | None = None
    encoding: EncodingCache | None = None
    weighed: list[MeasureValue] | None = None
    verdict: Verdict | None = None
    rules: RulesMemory | None = None


def evaluate(
    account: LoadedAccount,
    now: int,
    models: Models,
    *,
    usage_only: bool,
    changed_usage: int = TODAY,
    frozen: FrozenSources = NOTHING_FROZEN,
    lost: LostDays = NOTHING_LOST,
) -> Evaluation:
    """
    Bring the state into its bounds and its order, evaluate it at *now*, and keep the evaluation.

    ``usage_only`` says that nothing but usage came since the last evaluation, ``changed_usage`` which parts
    of the usage may differ since (``processors.state.usage_parts``). Measures of ``frozen`` sources keep the
    value they had when the source was last heard from; what came on ``lost`` days is not missed.
    """
    last = account.evaluation
    if (
        usage_only
        and last is not None
        and last.view.lost == lost
        and not (frozen or last.frozen)
        and last.holds_at(now)
    ):
        evaluation = _evaluate_usage(account, last, now, models, changed_usage)
        if evaluation is not None:
            account.evaluation = evaluation
            return evaluation
    account.evaluation, account.encoding = _evaluate_all(account.state, now, models, frozen, lost), None
    return account.evaluation


def verdict_on(account: LoadedAccount, evaluation: Evaluation, ends: int | None) -> Verdict:
    """
    Return the verdict on an account's last evaluation; at ``ends`` another plan may apply.

    A lasting verdict is kept and given again while every value stays as it was.
    """
    known = account.verdict
    if known is not None and account.weighed is evaluation.values and not account.state.overrides:
        return known.with_end(ends, evaluation.view.now)
    verdict = weigh(evaluation.plan, evaluation.values, evaluation.view, ends)
    account.weighed, account.verdict = evaluation.values, verdict if verdict.lasting else None
    return verdict


def _evaluate_all(
    state: State, now: int, models: Models, frozen: FrozenSources, lost: LostDays
) -> Evaluation:
    bound(state)
    arrange(state)  # no output may depend on the order in which events came
    view = View(state, now, lost)
    model = models.of(view)
    plan = model.for_account(view)
    values = frozen_values(plan.reads, view, frozen)
    return Evaluation(
        model,
        plan,
        values,
        view,
        other_due(state, now),
        daily_due(state, now),
        _usage_sizes(state),
        frozen,
    )


def _evaluate_usage(
    account: LoadedAccount, last: Evaluation, now: int, models: Models, changed_usage: int
) -> Evaluation | None:
    """Return the evaluation after more usage; ``None`` when more than that must be evaluated."""
    state = account.state
    sizes = _usage_sizes(state)
    if sizes != last.usage_sizes:
        if bound(state):
            return None
        arrange_usage(state)
        sizes, changed_usage = _usage_sizes(state), TODAY | PAST | USERS | FEATURES
    if account.encoding is None:
        account.encoding = EncodingCache()
    account.encoding.invalidate(changed_usage, last.view.today)
    view = last.view.later(now, changed=changed_usage)
    model = models.of(view)
    plan = model.for_account(view)
    if plan is not last.plan:
        return None
    values = last.values
    for index, parts in plan.by_usage:
        if parts & changed_usage:
            value = plan.reads[index](view)
            if value is not values[index] and value != values[index]:
                if values is last.values:
                    values = values.copy()
                values[index] = value
    return Evaluation(model, plan, values, view, last.other_due, last.daily_due, sizes, usage_only=True)


def _usage_sizes(state: State) -> tuple[int, int, int]:
    usage = state.usage
    return len(usage.days), len(usage.users), len(usage.features)
