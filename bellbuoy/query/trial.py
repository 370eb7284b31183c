"""Trial of a health model on an account of which only a few facts are known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple, TypeAlias

from processors.measures import MEASURES, MeasureDefinition, MeasureValue
from processors.model import Model
from processors.model.plan.account_facts import ACCOUNT_FACTS
from processors.scoring.score import Verdict, inform, weigh
from processors.state.account import State, Subscription, stamp
from processors.state.activity import with_day
from processors.state.own import OwnCount, OwnFact
from processors.view import View
from schemas.records import Measure
from schemas.suggestions import suggestion
from schemas.times import DAY, EPOCH

__all__ = ["Trial", "read_facts", "try_out"]

TrialValue: TypeAlias = float | bool | str

_FLAGS = {"true": True, "yes": True, "false": False, "no": False}
_AT = stamp(0, "")
_PROFILE = ("segment", "stage", "owner", "currency", "arr_minor", "seats")


class Trial(NamedTuple):
    """
    Trial of a model on an account: the verdict, and the measures that inform.

    ``doubts`` say of the variants whose condition can't be judged, and which are not applied, why.
    """

    verdict: Verdict
    informing: list[Measure]
    doubts: list[str]


def read_facts(options: Iterable[str], model: Model) -> dict[str, TrialValue]:
    """
    Return the facts in these texts, such as ``usage.drop=0.4`` or ``account.plan=pro``, by name.

    Of a date among the model's own facts the value is the days since it.

    Raises ValueError with the fix for a name that is none, and for a value that doesn't fit.
    """
    return dict(_fact(option, model) for option in options)


def _fact(option: str, model: Model) -> tuple[str, TrialValue]:
    name, equals, value = option.partition("=")
    if not equals:
        raise ValueError(f"{option!r}: write NAME=VALUE, such as usage.drop=0.4 or account.plan=pro")
    if name in ACCOUNT_FACTS:
        fact = ACCOUNT_FACTS[name].type
        if fact.choices and value not in fact.choices:
            raise ValueError(f"{option!r}: {suggestion(value, fact.choices, 'docs/model.md')}")
        if fact.name == "text":
            return name, value
        try:
            return name, int(value)
        except ValueError:
            raise ValueError(f"{option!r}: write a whole number, such as {name}=50") from None
    if name.startswith("own."):
        return name, _own_value(option, name.removeprefix("own."), value, model)
    if name not in MEASURES:
        known = [*ACCOUNT_FACTS] if name.startswith("account.") and name != "account.tenure" else [*MEASURES]
        what = "fact" if name.startswith("account.") else "measure"
        raise ValueError(f"no such {what}: {name}; {suggestion(name, known, 'docs/measures.md')}")
    try:
        return name, _finite(value)
    except ValueError:
        raise ValueError(f"{option!r}: write NAME=NUMBER, such as usage.drop=0.4") from None


def _own_value(option: str, name: str, value: str, model: Model) -> TrialValue:
    spec = model.own.get(name)
    if spec is None:
        raise ValueError(f"no such fact: own.{name}; {suggestion(name, list(model.own), 'the file')}")
    if spec.kind == "flag":
        if value not in _FLAGS:
            raise ValueError(f"{option!r}: write own.{name}=true or own.{name}=false")
        return _FLAGS[value]
    try:
        return int(value) if spec.counts or spec.kind == "date" else _finite(value)
    except ValueError:
        raise ValueError(f"{option!r}: write a number, such as own.{name}=3") from None


def _finite(value: str) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def try_out(model: Model, facts: Mapping[str, TrialValue]) -> Trial:
    """Return the trial of a model on an account of which only these measures and account facts are known."""
    view = View(_state(facts, model), 0)
    plan = model.for_account(view)

    given = facts.keys() & MEASURES.keys()

    def known(reads: Sequence[MeasureDefinition]) -> list[MeasureValue]:
        return [_value(read.name, facts[read.name]) if read.name in given else read(view) for read in reads]

    verdict = weigh(plan, known(plan.reads), view)
    return Trial(verdict, inform(plan, known(plan.shows), view.now)[0], [*model.doubts(view)])


def _value(name: str, value: TrialValue) -> MeasureValue:
    number = float(value)
    return MeasureValue(number, f"{name} is {number:g}")


def _state(facts: Mapping[str, TrialValue], model: Model) -> State:
    """Return the state of an account at time 0 that has these account facts and facts of the model's own."""
    known = {name.removeprefix("account."): value for name, value in facts.items() if name in ACCOUNT_FACTS}
    state = State(tenant=str(known.get("tenant", "example")), account_id=str(known.get("id", "example")))
    for field in _PROFILE:
        if field in known:
            value = known[field]
            state.profile[field] = (_AT, value if isinstance(value, str) else int(value))
    if "tenure_days" in known:
        state.usage.first_at = -int(known["tenure_days"]) * DAY
    if known.keys() & {"plan", "status", "renewal_days"}:
        subscription = state.billing.subscriptions["example"] = Subscription(_AT)
        subscription.status = str(known.get("status", "active"))
        subscription.plan = str(known["plan"]) if "plan" in known else None
        if "renewal_days" in known:
            subscription.renews_at = int(known["renewal_days"]) * DAY
    for name, spec in model.own.items():
        said = facts.get(f"own.{name}")
        if said is None:
            continue
        if spec.counts:
            number = int(said)
            state.own_counts[name] = OwnCount({0: number}, dict.fromkeys(range(number), with_day(None, 0)))
        elif spec.kind == "date":
            state.own[name] = OwnFact(_AT, (EPOCH - timedelta(days=int(said))).isoformat())
        else:
            state.own[name] = OwnFact(_AT, said)
    return state
