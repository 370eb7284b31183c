"""
Facts that the conditions and texts of alert rules read, and the situation that they are read from.

Measures are read by their names. Beside them and the ``account.*`` facts of models there are the account's
health, the changes of measures over whole days, the ages of their evidence, and a person's facts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from processors.measures import MeasureDefinition, MeasureValue
from processors.model.plan.account_facts import Fact, Value
from processors.model.plan.condition_types import FactType
from processors.state.account import RING_DAYS, Person
from processors.state.activity import last_day
from processors.state.usage_parts import PAST, TODAY, USERS
from processors.view import View
from schemas.records import BAND_ORDER
from schemas.times import DAY

__all__ = ["HEALTH", "PERSON", "SCORE", "JudgedHealth", "RuleInput", "Situation", "inputs_of", "sampled"]

_BAND = FactType("text", BAND_ORDER)
_NUMBER, _WHOLE, _TEXT, _FLAG = FactType("double"), FactType("int"), FactType("text"), FactType("bool")
_CHANGE = re.compile(r"\bchange_([1-9]|[1-8][0-9]|90)d\.")
_AGE = "age_days."

SCORE = "health.score"
"""The name under which samples of the score are kept."""


class JudgedHealth(NamedTuple):
    """
    The band that rules judge, how bad it is; ``None`` where it is not known.

    ``score`` is of 0 to 100. ``cause`` is the group, or the measure without a group, that takes the most from
    the score while the band is at risk or critical; ``held``: that rests on values from before a source fell
    silent, which are no news.
    """

    band: str | None = None
    score: float | None = None
    cause: str | None = None
    held: bool = False


class Situation:
    """The account at one time, as rules see it: its view, measures, health, and one of its people."""

    __slots__ = ("_known", "_measure", "health", "person", "user", "view")

    def __init__(self, view: View, measure: Callable[[MeasureDefinition], MeasureValue]) -> None:
        self.view = view
        self.health = JudgedHealth()
        self.person: Person | None = None
        self.user = 0
        self._measure = measure
        self._known: dict[MeasureDefinition, MeasureValue] = {}

    def measure(self, measure: MeasureDefinition) -> MeasureValue:
        """Return the value of a measure, computed once."""
        known = self._known.get(measure)
        if known is None:
            known = self._known[measure] = self._measure(measure)
        return known

    def value(self, measure: MeasureDefinition) -> float | None:
        """Return the number of a measure; what is not a number is not known, and -0.0 is 0.0."""
        value = self.measure(measure).value
        return None if value is None or value != value else value + 0.0  # noqa: PLR0124

    def about(self, user: int, person: Person) -> Situation:
        """Return the situation of one of the account's people."""
        other = Situation(self.view, self._measure)
        other.health, other.person, other.user, other._known = self.health, person, user, self._known
        return other


class RuleInput(NamedTuple):
    """
    One name that rules read: its type, the function that returns its value, and when that may change.

    ``parts`` are the parts of the usage (``processors.state.usage_parts``) whose change can change it.
    """

    name: str
    about: str
    type: FactType
    read: Callable[[Situation], Value]
    parts: int = 0
    measure: MeasureDefinition | None = None

    @property
    def fact(self) -> Fact:
        """The input as a fact, so that conditions can be checked against it."""
        return Fact(self.about, self.type, lambda _: None)


def _band_days(situation: Situation) -> Value:
    since = situation.view.state.band_since
    return None if since < 0 else max(0, situation.view.now - since) // DAY


HEALTH: dict[str, RuleInput] = {
    each.name: each
    for each in (
        RuleInput(
            "health.band",
            "how bad the band is: critical, at_risk, watch or healthy, without what other alerts tell",
            _BAND,
            lambda situation: situation.health.band,
        ),
        RuleInput(
            "health.score",
            "the score, 0 to 100, without what other alerts tell",
            _NUMBER,
            lambda situation: situation.health.score,
        ),
        RuleInput(
            "health.cause",
            "the group that takes the most from the score, while the band is at_risk or critical",
            _TEXT,
            lambda situation: situation.health.cause,
        ),
        RuleInput("health.band_days", "whole days in the present band", _WHOLE, _band_days),
    )
}
"""The facts of the account's health by name."""


def _role(situation: Situation) -> Value:
    return None if situation.person is None else situation.person.role or None


def _left_days(situation: Situation) -> Value:
    person = situation.person
    if person is None or person.left_at < 0 or person.left_at <= person.role_at[0]:
        return None
    return situation.view.age(person.left_at)


def _silent_days(situation: Situation) -> Value:
    person, view = situation.person, situation.view
    if person is None:
        return None
    activity = view.usage.users.get(situation.user)
    used = RING_DAYS if activity is None else max(0, view.today - last_day(activity))
    contact = RING_DAYS if person.contact_at < 0 else view.age(person.contact_at)
    return min(used, contact, RING_DAYS, view.age(person.role_at[0]))


PERSON: dict[str, RuleInput] = {
    each.name: each
    for each in (
        RuleInput("person.role", "champion or sponsor", FactType("text", ("champion", "sponsor")), _role),
        RuleInput(
            "person.left_days",
            "whole days since the person left; not known of one who stays",
            _WHOLE,
            _left_days,
        ),
        RuleInput(
            "person.silent_days",
            "whole days since the person used the product, was in contact or was named, 90 at most",
            _WHOLE,
            _silent_days,
            USERS,
        ),
    )
}
"""The facts of one person, for rules about persons, by name."""


def inputs_of(
    facts: Mapping[str, Fact], measures: Mapping[str, MeasureDefinition], texts: Iterable[str]
) -> dict[str, RuleInput]:
    """Return everything that these texts of rules may read, by name, but for a person's facts."""
    inputs = {name: _of_fact(name, fact) for name, fact in facts.items()}
    inputs |= {name: _of_measure(name, each) for name, each in measures.items() if name not in inputs}
    inputs |= HEALTH
    windows = sorted({int(days) for text in texts for days in _CHANGE.findall(text)})
    inputs |= _ages_and_changes(measures, windows)
    return inputs


def _ages_and_changes(
    measures: Mapping[str, MeasureDefinition], windows: Iterable[int]
) -> dict[str, RuleInput]:
    """Return the ages of the measures' evidence, and their changes over each of these numbers of days."""
    inputs = {
        f"{_AGE}{name}": RuleInput(
            f"{_AGE}{name}",
            f"whole days since the newest evidence of {name}",
            _WHOLE,
            _age(each),
            each.reads,
            each,
        )
        for name, each in measures.items()
    }
    for days in windows:
        for name, each in measures.items():
            changed = f"change_{days}d.{name}"
            about = f"{name} less what it was {days} days ago"
            inputs[changed] = RuleInput(changed, about, _NUMBER, _change(each, days), each.reads, each)
        changed = f"change_{days}d.{SCORE}"
        inputs[changed] = RuleInput(
            changed, f"the score less what it was {days} days ago", _NUMBER, _score_change(days)
        )
    return inputs


def sampled(name: str) -> tuple[str, int] | None:
    """Return the measure, or ``health.score``, and the days whose change an input is; ``None`` for others."""
    match = _CHANGE.match(name)
    return None if match is None else (name[match.end() :], int(match[1]))


def _of_fact(name: str, fact: Fact) -> RuleInput:
    parts = TODAY | PAST if name == "account.tenure_days" else 0
    return RuleInput(name, fact.about, fact.type, lambda situation: fact.read(situation.view), parts)


def _of_measure(name: str, measure: MeasureDefinition) -> RuleInput:
    return RuleInput(
        name, measure.about, _NUMBER, lambda situation: situation.value(measure), measure.reads, measure
    )


def _age(measure: MeasureDefinition) -> Callable[[Situation], Value]:
    def age(situation: Situation) -> Value:
        as_of = situation.measure(measure).as_of
        return None if as_of is None else situation.view.age(as_of)

    return age


def _change(measure: MeasureDefinition, days: int) -> Callable[[Situation], Value]:
    def change(situation: Situation) -> Value:
        value, before = situation.value(measure), _sample(situation, measure.name, days)
        return None if value is None or before is None else value - before

    return change


def _score_change(days: int) -> Callable[[Situation], Value]:
    def change(situation: Situation) -> Value:
        score, before = situation.health.score, _sample(situation, SCORE, days)
        return None if score is None or before is None else score - before

    return change


def _sample(situation: Situation, name: str, days: int) -> float | None:
    """Return the newest sample of a measure that is as many days old, or older."""
    samples = situation.view.state.samples.get(name, {})
    last = situation.view.today - days
    return next((samples[day] for day in sorted(samples, reverse=True) if day <= last), None)
