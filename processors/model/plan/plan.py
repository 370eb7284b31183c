"""Plan: a model, or one of its variants, as the values that ``processors.scoring.score`` computes with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from processors.measures import MeasureDefinition
from processors.model.plan.bands import Bands
from processors.model.plan.combine import Combinator
from processors.model.plan.conditions import Condition
from processors.model.plan.curves import Curve

__all__ = ["CapRule", "Fade", "Plan", "PlanGroup", "PlanTerm"]


@dataclass(frozen=True, slots=True)
class Fade:
    """
    Fading of a score with the age of its evidence, in milliseconds.

    In a ``half_life`` the score moves half of the way to ``toward``; from ``window`` on it is ``toward``.
    """

    half_life: int
    toward: float
    window: int | None

    def of(self, score: float, age: int) -> float:
        """Return what is left of a score at this age in milliseconds."""
        if self.window is not None and age >= self.window:
            return self.toward
        faded: float = self.toward + (score - self.toward) * 0.5 ** (age / self.half_life)
        return faded


@dataclass(frozen=True, slots=True, eq=False)
class PlanTerm:
    """
    One measure in a plan; a term that informs may have no ``curve``.

    ``at`` is the index of its measure in ``Plan.reads``, or in ``Plan.shows`` for a term that informs.
    ``weight`` is its share of the score in points of 100. ``factor`` is how many hundredths of a point of the
    score one point of the term brings while no limit, rounding or other member interferes, and ``most`` how
    many it brings at its best. A ``plain`` term has none of the options that follow.
    """

    name: str
    unit: str
    group: str
    at: int
    curve: Curve | None
    weight: float
    factor: float
    most: int
    plain: bool
    by: int | None = None
    digits: int | None = None
    if_unknown: float | None = None
    stale_after: int | None = None
    forget_after: int | None = None
    fade: Fade | None = None
    say: str | None = None


@dataclass(frozen=True, slots=True)
class PlanGroup:
    """
    A group: its combinator, and the indices of its terms in ``Plan.terms``.

    ``multiplies`` is how many times the other groups of a product count while this one is at its worst; those
    that are ``involuntary`` stay as they are.
    """

    name: str
    combinator: Combinator
    terms: tuple[int, ...]
    multiplies: float = 1.0
    involuntary: bool = False


@dataclass(frozen=True, slots=True)
class CapRule:
    """
    A cap: the score is at most ``limit`` hundredths of a point while a measure's value passes the test.

    ``at`` is the index of that measure in ``Plan.reads``; ``asks`` are the measures that the condition reads,
    each with its index.
    """

    name: str
    limit: int
    at: int
    test: Callable[[float], bool]
    condition: Condition | None
    asks: tuple[tuple[str, int], ...]
    lasts: int | None
    until: int | None
    lifts_unknown: bool
    say: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """
    A model, or one of its variants, ready to score with.

    ``terms`` are counted, ``informs`` are only shown. ``reads`` are the measures of ``terms`` and ``caps``,
    ``shows`` those of ``informs``. ``root`` combines the ungrouped terms (``loose``), then the groups.
    ``places`` are the indices in ``reads``. ``linear`` says that every term brings its fixed factor, so that
    nothing needs combining; ``timeless``, that the same facts score the same at any time, as long as no cap
    holds. ``by_usage`` are the indices in ``reads`` of measures that usage informs, each with the parts of
    the usage that it reads. ``chance`` maps a score on the model's scale to a probability of churn.
    ``involuntary`` are the indices in ``groups`` of a product's involuntary groups, each with its weight.
    """

    variant: str
    scale: float
    reads: tuple[MeasureDefinition, ...]
    terms: tuple[PlanTerm, ...]
    informs: tuple[PlanTerm, ...]
    groups: tuple[PlanGroup, ...]
    root: Combinator
    loose: tuple[int, ...]
    linear: bool
    timeless: bool
    caps: tuple[CapRule, ...]
    bands: Bands
    min_coverage: float
    by_usage: tuple[tuple[int, int], ...]
    shows: tuple[MeasureDefinition, ...]
    places: Mapping[MeasureDefinition, int]
    chance: Callable[[float], float] | None = None
    involuntary: tuple[tuple[int, float], ...] = ()

    def churn_probability(self, score: int) -> float | None:
        """Return how probable churn within 90 days is at a score in hundredths; ``None``: not calibrated."""
        return None if self.chance is None else round(self.chance(score / self.hundredths), 4)

    @property
    def hundredths(self) -> float:
        """Hundredths of a point in one point of the model's own scale."""
        return 10_000 / self.scale
