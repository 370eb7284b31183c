"""
Alert rules as values, and the answers to their conditions.

Conditions are dear to evaluate (some 30 µs), and measures rarely pass a number that a condition compares them
with. So what a rule reads is reduced to *levels*: between which of these numbers a value lies. An answer is
computed once for each combination of levels, and a set of rules whose levels are all as they were need not be
asked again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from processors.measures import MeasureDefinition
from processors.model.plan.conditions import Condition
from processors.rules.facts import HEALTH, RuleInput, Situation

__all__ = ["SEVERITY_RANK", "Answers", "Question", "Rule", "RuleSet", "Template", "Tier"]

SEVERITY_RANK = {"": 0, "notice": 1, "warning": 2, "critical": 3}
"""How bad each severity is; '' is no alert."""

Level: TypeAlias = Any
"""What a condition can tell of a value: its place among numbers, or the value itself; ``None``: not known."""

_MOST_ANSWERS = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A condition, with the indices of what it reads among the inputs of its set."""

    condition: Condition
    reads: tuple[int, ...]
    _answers: dict[tuple[Level, ...], bool | None] = field(default_factory=dict)

    def ask(self, answers: Answers) -> bool | None:
        """Tell whether the condition holds; ``None``: it can't be judged."""
        levels = answers.levels
        key = tuple([levels[index] for index in self.reads])
        try:
            return self._answers[key]
        except KeyError:
            pass
        if len(self._answers) >= _MOST_ANSWERS:
            self._answers.clear()
        found = self.condition.answer(tuple(answers.values[index] for index in self.reads))
        self._answers[key] = found
        return found


@dataclass(frozen=True, slots=True)
class Template:
    """A text with values in it: ``source`` as texts, and inputs between them, some as percentages."""

    source: str
    texts: tuple[str, ...]
    names: tuple[tuple[RuleInput, bool], ...]

    def fill(self, situation: Situation) -> str:
        """Return the text for an account."""
        parts = [self.texts[0]]
        for (given, percent), text in zip(self.names, self.texts[1:], strict=True):
            parts += [_worded(given.read(situation), percent=percent), text]
        return "".join(parts)


def _worded(value: Any, *, percent: bool) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value.replace("_", " ")
    if percent:
        return f"{value:.0%}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}".rstrip("0")


@dataclass(frozen=True, slots=True, eq=False)
class Tier:
    """One severity of a rule; the condition must have held for ``hold`` milliseconds."""

    severity: str
    question: Question
    hold: int
    title: Template
    action: str


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """
    An alert rule; its name is part of the alert's id. Times are in milliseconds.

    ``tiers`` are its severities, the worst first. ``opens_if`` must hold too for an alert to open, and an
    open one also stays while ``stays`` holds. ``most`` is how many alerts may open in how much time.
    ``tells`` are the measures that its alert tells of. ``sources`` are the topics of all that it reads: while
    one of them is silent for every account, the rule can't tell. ``reads_health`` says that it judges the
    band.
    """

    name: str
    lane: str
    tiers: tuple[Tier, ...]
    opens_if: Question | None
    stays: Question | None
    keep_firing: int
    cooldown: int
    most: tuple[int, int] | None
    one_of: str | None
    about_person: bool
    tells: tuple[str, ...]
    reason: Template | None
    resolved: Template
    shadow: bool
    sources: frozenset[str]
    reads_health: bool

    @property
    def questions(self) -> Iterator[Question]:
        """Its conditions."""
        yield from (tier.question for tier in self.tiers)
        yield from (question for question in (self.opens_if, self.stays) if question is not None)


@dataclass(frozen=True, slots=True, eq=False)
class RuleSet:
    """
    A named, versioned set of alert rules; two sets are the same when their texts are.

    ``text`` is canonical, without what it ``extends``: ``load_rules`` of it gives an equal set. ``inputs`` is
    everything that the conditions read, what is of the health and of a person last; ``limits`` the numbers
    that each is compared with (``None``: every value is a level of its own). ``samples`` are the measures
    whose changes are read, each with the most days. ``asks_persons`` says that a rule is about single
    persons, ``asks_band_days`` that a condition reads the days in the present band.
    """

    name: str
    version: str
    text: str
    rules: Mapping[str, Rule]
    inputs: tuple[RuleInput, ...]
    limits: tuple[tuple[float, ...] | None, ...]
    plain: int
    of_person: int
    by_usage: tuple[tuple[int, int], ...]
    samples: Mapping[str, int]
    asks_persons: bool
    asks_band_days: bool

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RuleSet) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def measure(self, name: str) -> MeasureDefinition:
        """Return the definition of a measure that conditions read; raise KeyError."""
        for each in self.inputs:
            if each.measure is not None and each.measure.name == name:
                return each.measure
        raise KeyError(name)

    def level(self, index: int, value: Any) -> Level:
        """Return the level of an input's value."""
        limits = self.limits[index]
        if value is None or limits is None:
            return value
        place = bisect_left(limits, value)
        return 2 * place + 1 if place < len(limits) and limits[place] == value else 2 * place


class Answers:
    """
    The values and levels of a set's inputs in one situation, and so the answers to its conditions.

    What is of the health is not known before ``with_health``.
    """

    __slots__ = ("levels", "rules", "situation", "values")

    def __init__(self, rules: RuleSet, situation: Situation) -> None:
        self.rules = rules
        self.situation = situation
        self.values: list[Any] = [given.read(situation) for given in rules.inputs[: rules.plain]]
        self.values += [None] * (len(rules.inputs) - rules.plain)
        self.levels: list[Level] = [rules.level(index, value) for index, value in enumerate(self.values)]

    def with_health(self) -> None:
        """Read the health, once the situation has it."""
        self._read(self.rules.plain, self.rules.of_person)

    def about(self, situation: Situation) -> Answers:
        """Return the answers about one of the account's people."""
        other = Answers.__new__(Answers)
        other.rules, other.situation = self.rules, situation
        other.values, other.levels = self.values.copy(), self.levels.copy()
        other._read(self.rules.of_person, len(self.rules.inputs))  # noqa: SLF001 - of the same class
        return other

    def _read(self, first: int, end: int) -> None:
        for index in range(first, end):
            value = self.values[index] = self.rules.inputs[index].read(self.situation)
            self.levels[index] = self.rules.level(index, value)


def arranged(inputs: Mapping[str, RuleInput], read: Sequence[str]) -> tuple[tuple[RuleInput, ...], int, int]:
    """Return the inputs that are read in the order of a set, and how many come before health and person."""
    plain = [inputs[name] for name in read if not _of_health(name) and not name.startswith("person.")]
    health = [inputs[name] for name in read if _of_health(name)]
    person = [inputs[name] for name in read if name.startswith("person.")]
    return (*plain, *health, *person), len(plain), len(plain) + len(health)


def _of_health(name: str) -> bool:
    return name in HEALTH or name.endswith(".health.score")
