"""Trial of a health model on an account of which only a few facts are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from processors.measures import MEASURES, MeasureDefinition, MeasureValue, View
from processors.model import Model
from processors.model.plan.account_facts import ACCOUNT_FACTS
from processors.scoring.score import Verdict, inform, weigh
from processors.state.account import State, Subscription, stamp
from schemas.records import Measure
from schemas.suggestions import suggestion
from schemas.times import DAY

__all__ = ["Trial", "read_facts", "try_out"]

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


def read_facts(options: Iterable[str]) -> dict[str, float | str]:
    """
    Return the facts in these texts, such as ``usage.drop=0.4`` or ``account.plan=pro``, by name.

    Raises ValueError with the fix for a name that is none, and for a value that doesn't fit.
    """
    return dict(_fact(option) for option in options)


def _fact(option: str) -> tuple[str, float | str]:
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
    if name not in MEASURES:
        known = [*ACCOUNT_FACTS] if name.startswith("account.") and name != "account.tenure" else [*MEASURES]
        what = "fact" if name.startswith("account.") else "measure"
        raise ValueError(f"no such {what}: {name}; {suggestion(name, known, 'docs/measures.md')}")
    try:
        return name, float(value)
    except ValueError:
        raise ValueError(f"{option!r}: write NAME=NUMBER, such as usage.drop=0.4") from None


def try_out(model: Model, facts: Mapping[str, float | str]) -> Trial:
    """Return the trial of a model on an account of which only these measures and account facts are known."""
    view = View(_state(facts), 0)
    plan = model.for_account(view)

    def known(reads: Sequence[MeasureDefinition]) -> list[MeasureValue]:
        return [_value(read.name, facts[read.name]) if read.name in facts else read(view) for read in reads]

    verdict = weigh(plan, known(plan.reads), view)
    return Trial(verdict, inform(plan, known(plan.shows), view.now)[0], [*model.doubts(view)])


def _value(name: str, value: float | str) -> MeasureValue:
    number = float(value)
    return MeasureValue(number, f"{name} is {number:g}")


def _state(facts: Mapping[str, float | str]) -> State:
    """Return the state of an account at time 0 that has these account facts."""
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
    return state
