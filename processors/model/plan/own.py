"""Measures and facts of a team's own, made of what its model declares in ``own``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from processors.measures import MeasureDefinition, MeasureValue
from processors.measures.formats import count
from processors.model.file.own import OwnSpec
from processors.model.plan.account_facts import Fact, Value
from processors.model.plan.condition_types import FactType
from processors.state.activity import least_activity
from processors.state.own import OwnFact
from processors.view import View
from schemas.inputs import PROFILES
from schemas.times import DAY

__all__ = ["RESERVED", "own_facts", "own_measures"]

RESERVED = frozenset({"true", "false", "null", "in"})
"""Names that no condition could ask for."""

_KPI = "The team's own"
_UNITS = {
    "number": "",
    "date": "days since",
    "flag": "0 no, 1 yes",
    "pulse": "1 to 5",
    "count": "",
    "users": "people",
}
_HIGHEST_PULSE = 5
_FLAGS = {True: "yes", False: "no"}


def own_measures(specs: Mapping[str, OwnSpec]) -> dict[str, MeasureDefinition]:
    """Return the measure of each declared fact and counter by its name, ``own.<name>``."""
    return {f"own.{name}": _measure(name, spec) for name, spec in specs.items()}


def own_facts(specs: Mapping[str, OwnSpec], measures: Mapping[str, MeasureDefinition]) -> dict[str, Fact]:
    """Return what conditions read of each declared fact and counter: the value of its measure."""
    return {
        name: Fact(
            measure.about, FactType("bool" if spec.kind == "flag" else "double"), _reader(measure, spec)
        )
        for (name, measure), spec in zip(measures.items(), specs.values(), strict=True)
    }


def _reader(measure: MeasureDefinition, spec: OwnSpec) -> Callable[[View], Value]:
    def read(view: View) -> Value:
        value = measure(view).value
        if value is None:
            return None
        return bool(value) if spec.kind == "flag" else float(value)

    return read


def _measure(name: str, spec: OwnSpec) -> MeasureDefinition:
    title = spec.title or name.replace("_", " ").capitalize()
    function = _counted(name, spec, title) if spec.counts else _said(name, spec, title)
    return MeasureDefinition(
        name=f"own.{name}",
        kpi=_KPI,
        unit=f"ratio of {spec.per}" if spec.per else spec.unit or _UNITS[spec.kind],
        window=count(spec.days or 0, "day") if spec.counts else "the newest word",
        sources=(PROFILES.topic,),
        needs=f"`counted.{name}`" if spec.counts else f"`own.{name}`",
        example=(),
        function=function,
        reads=0,
    )


def _said(name: str, spec: OwnSpec, title: str) -> Callable[[View], MeasureValue]:
    value_of = _VALUES[spec.kind]

    def said(view: View) -> MeasureValue:
        fact = view.state.own.get(name)
        if fact is None or fact.value is None:
            return MeasureValue(None, f"{title} is not known")
        value, reason = value_of(fact, spec, title, view)
        age = view.age(fact.at[0])
        if spec.forget_after is not None and age * DAY >= spec.forget_after:
            value, reason = None, f"{reason}, but that was {count(age, 'day')} ago"
        return MeasureValue(value, reason, as_of=fact.at[0])

    return said


def _number(fact: OwnFact, spec: OwnSpec, title: str, _: View) -> tuple[float | None, str]:
    if isinstance(fact.value, bool) or not isinstance(fact.value, int | float):
        return _unfit(fact, title, "no number")
    return fact.value, f"{title}: {_digits(fact.value)} {spec.unit or ''}".rstrip()


def _date(fact: OwnFact, _: OwnSpec, title: str, view: View) -> tuple[float | None, str]:
    try:
        date = datetime.fromisoformat(fact.value if isinstance(fact.value, str) else "")
    except ValueError:
        return _unfit(fact, title, "no date such as 2026-12-31")
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    days = view.today - int(aware.timestamp() // (DAY // 1000))
    if days == 0:
        return 0, f"{title} is today"
    return (
        days,
        f"{title} was {count(days, 'day')} ago" if days > 0 else f"{title} is in {count(-days, 'day')}",
    )


def _flag(fact: OwnFact, _: OwnSpec, title: str, __: View) -> tuple[float | None, str]:
    if not isinstance(fact.value, bool):
        return _unfit(fact, title, "neither true nor false")
    return float(fact.value), f"{title}: {_FLAGS[fact.value]}"


def _pulse(fact: OwnFact, _: OwnSpec, title: str, __: View) -> tuple[float | None, str]:
    if isinstance(fact.value, bool | str) or fact.value is None or not 1 <= fact.value <= _HIGHEST_PULSE:
        return _unfit(fact, title, "none of 1 to 5")
    author = f", said by {fact.author}" if fact.author else ""
    return fact.value, f"{title} is {fact.value:g} of {_HIGHEST_PULSE}{author}"


_VALUES: dict[str, Callable[[OwnFact, OwnSpec, str, View], tuple[float | None, str]]] = {
    "number": _number,
    "date": _date,
    "flag": _flag,
    "pulse": _pulse,
}


def _unfit(fact: OwnFact, title: str, why: str) -> tuple[None, str]:
    return None, f"{title} is not known: {fact.value!r:.40} is {why}"


def _counted(name: str, spec: OwnSpec, title: str) -> Callable[[View], MeasureValue]:
    days = spec.days or 0
    window = count(days, "day")

    def counted(view: View) -> MeasureValue:
        if not view.state.own_counts:
            return MeasureValue(None, f"{title} is not known: nothing was counted")
        counter, first = view.state.own_counts.get(name), view.today - days + 1
        if counter is None:
            number = 0
        elif spec.kind == "users":
            number = sum(map(least_activity(first).__le__, counter.users.values()))
        else:
            number = sum(each for day, each in counter.days.items() if day >= first)
        said = f"{title}: {number:,} {spec.unit or ''}".rstrip()
        if spec.per is None:
            return MeasureValue(number, f"{said} in {window}")
        if not view.seats:
            return MeasureValue(None, f"{said} in {window}, but the number of seats is not known")
        return MeasureValue(number / view.seats, f"{said} of {count(view.seats, 'seat')} in {window}")

    return counted


def _digits(number: float) -> str:
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:,g}"
