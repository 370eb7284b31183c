"""The caps of a score: known facts that limit it, however good everything else is."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from processors.measures import MeasureValue
from processors.model.plan.plan import CapRule, Plan
from processors.scoring.measure_score import fill_template, known_value
from processors.view import View
from schemas.records import Cap

__all__ = ["CapResult", "apply_caps"]


@dataclass(slots=True)
class CapResult:
    """
    The score that the caps leave, in hundredths of a point, and the caps that hold, the lowest first.

    ``doubts`` are the reasons of caps that can't be judged: they hold, so that missing data never raises a
    score, but the band is ``unknown``. ``moments`` are the times at which a cap lifts by itself.
    """

    score: int
    caps: list[Cap] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    moments: list[int] = field(default_factory=list)


def apply_caps(
    plan: Plan, facts: Sequence[MeasureValue], view: View, score: int, without: Container[str] = ()
) -> CapResult:
    """
    Return what the plan's caps leave of a score; facts stand in the order of ``plan.reads``.

    The caps on the measures ``without`` are left out.
    """
    result = CapResult(score)
    for rule in plan.caps:  # by rising limit
        fact = facts[rule.at]
        if without and plan.reads[rule.at].name in without:
            continue
        value = known_value(fact)
        if value is not None and not rule.test(value):
            continue
        end = _end(rule, fact)
        if end is not None and end <= view.now:
            continue
        holds = _condition_holds(rule, facts, view)
        if holds is False or (rule.lifts_unknown and (value is None or holds is None)):
            continue
        _apply(result, rule, fact, end)
        if value is None:
            result.doubts.append(fact.reason)
        if holds is None and rule.condition is not None:
            doubt = rule.condition.doubt(view, _asked_values(rule, facts))
            result.doubts.append(f"Cap {rule.name}: {doubt}")
    return result


def _apply(result: CapResult, rule: CapRule, fact: MeasureValue, end: int | None) -> None:
    cut = max(0, result.score - rule.limit)
    result.score -= cut
    ends = [time for time in (end, fact.until) if time is not None]
    result.caps.append(
        Cap(
            name=rule.name,
            limit=rule.limit / 100,
            contribution=-cut / 100 if cut else 0.0,
            until=min(ends, default=None),
            reason=fact.reason if rule.say is None else fill_template(rule.say, fact.reason, fact.value),
        )
    )
    result.moments += ends


def _end(rule: CapRule, fact: MeasureValue) -> int | None:
    """Return when the cap lifts by itself."""
    ends = [] if rule.until is None else [rule.until]
    if rule.lasts is not None and fact.as_of is not None:
        ends.append(fact.as_of + rule.lasts)
    return min(ends, default=None)


def _condition_holds(rule: CapRule, facts: Sequence[MeasureValue], view: View) -> bool | None:
    condition = rule.condition
    if condition is None:
        return True
    return condition.holds(view, _asked_values(rule, facts))


def _asked_values(rule: CapRule, facts: Sequence[MeasureValue]) -> dict[str, float | None]:
    return {name: known_value(facts[at]) for name, at in rule.asks}
