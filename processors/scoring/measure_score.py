"""The score of one measure in a model, with its value, its reason, and the age of its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from processors.measures import MeasureValue
from processors.model.plan.curves import half_up
from processors.model.plan.plan import PlanTerm
from schemas.times import DAY

__all__ = ["MeasureScore", "fill_template", "known_value", "score_measure"]


class MeasureScore(NamedTuple):
    """
    Score of one measure; ``known`` tells whether it counts for the coverage.

    A score can stand without a known value, when the model says what unknown counts as. ``moments`` are
    the times at which age changes something.
    """

    value: float | None
    score: float | None
    reason: str
    known: bool
    stale: bool = False
    moments: tuple[int, ...] = ()


def known_value(fact: MeasureValue) -> float | None:
    """
    Return the fact's value; what is not a number is not known.

    -0.0 becomes 0.0: they are equal, so a cached result of one would be given for the other.
    """
    value = fact.value
    return None if value is None or value != value else value + 0.0  # noqa: PLR0124 - NaN differs from itself


def score_measure(term: PlanTerm, facts: Sequence[MeasureValue], now: int) -> MeasureScore:
    """Return the score of a term from the facts, which stand in the order of ``Plan.reads``."""
    fact = facts[term.at]
    value, reason, stale = known_value(fact), fact.reason, fact.held
    age = None if fact.as_of is None else max(0, now - fact.as_of)
    if value is not None and age is not None:
        days = f"{age // DAY} {'day' if age // DAY == 1 else 'days'} ago"
        if term.forget_after is not None and age >= term.forget_after:
            value, reason = None, f"{reason}, but that was {days}"
        elif term.stale_after is not None and age >= term.stale_after:
            stale, reason = True, f"{reason} ({days})"
    score = None if value is None else _score(term, value, facts)
    known = score is not None
    if score is None:
        score = term.if_unknown
    elif term.fade is not None and age is not None:
        score = term.fade.of(score, age)
    if score is not None and term.digits is not None:
        score = half_up(score, term.digits)
    if term.say is not None:
        reason = fill_template(term.say, reason, value)
    return MeasureScore(value, score, reason, known, stale, _moments(term, fact, now))


def fill_template(template: str, fact: str, value: float | None) -> str:
    """Return a model's template with the measure's own sentence and its value filled in."""
    return template.replace("{fact}", fact).replace("{value}", "not known" if value is None else f"{value:g}")


def _score(term: PlanTerm, value: float, facts: Sequence[MeasureValue]) -> float | None:
    if term.curve is None:
        return None
    if term.curve.grid is None or term.by is None:
        return term.curve.score(value)
    other = known_value(facts[term.by])
    return None if other is None else term.curve.grid(value, other)


def _moments(term: PlanTerm, fact: MeasureValue, now: int) -> tuple[int, ...]:
    if fact.as_of is None or term.plain:
        return ()
    ages = (term.stale_after, term.forget_after, None if term.fade is None else term.fade.window)
    moments = [fact.as_of + age for age in ages if age is not None]
    return tuple(moment for moment in moments if moment > now)
