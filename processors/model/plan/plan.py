"""What a model comes down to for one account: values that ``processors.scoring.score`` computes with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from processors.measures import MeasureDefinition
from processors.model.plan.bands import Bands
from processors.model.plan.combine import Rule
from processors.model.plan.conditions import Condition
from processors.model.plan.curves import Curve

__all__ = ["CapRule", "Fade", "Plan", "PlanGroup", "PlanTerm"]


@dataclass(frozen=True, slots=True)
class Fade:
    """How the score of held evidence ages: toward a score by half-life (ms), there at ``window`` (ms)."""

    half_life: int
    toward: float
    window: int | None

    def of(self, score: float, age: int) -> float:
        """Return the score at this age in milliseconds."""
        if self.window is not None and age >= self.window:
            return self.toward
        faded: float = self.toward + (score - self.toward) * 0.5 ** (age / self.half_life)
        return faded


@dataclass(frozen=True, slots=True, eq=False)
class PlanTerm:
    """
    One measure of a plan; one that informs may have no ``curve``.

    ``at`` is its fact's place in ``Plan.reads``, or in ``Plan.shows`` of one that informs. ``weight`` is its
    share of the score in points of 100. ``factor`` is what a point of its score brings in hundredths of a
    point when nothing else interferes, and ``most`` what it brings at its best. A ``plain`` term has none of
    the options below it.
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
    """A group: its rule over the terms at these places of ``Plan.terms``."""

    name: str
    rule: Rule
    terms: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CapRule:
    """
    A cap: at most ``limit`` hundredths of a point while the test holds of the fact at ``at``.

    Facts stand in ``Plan.reads``; ``asks`` are the measures that the condition reads, and their places.
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

    ``terms`` are counted, ``informs`` only shown. ``root`` combines the ungrouped terms (``loose``) and then
    the groups. ``linear`` says that every term
    brings its fixed factor, so that nothing needs combining. ``by_usage`` are the places in ``reads`` of what
    usage informs, and the parts of it that each of them reads. ``shows`` is what ``informs`` reads.
    """

    variant: str
    scale: float
    reads: tuple[MeasureDefinition, ...]
    terms: tuple[PlanTerm, ...]
    informs: tuple[PlanTerm, ...]
    groups: tuple[PlanGroup, ...]
    root: Rule
    loose: tuple[int, ...]
    linear: bool
    caps: tuple[CapRule, ...]
    bands: Bands
    min_coverage: float
    by_usage: tuple[tuple[int, int], ...]
    shows: tuple[MeasureDefinition, ...]

    @property
    def hundredths(self) -> float:
        """Hundredths of a point in one point of the model's own scale."""
        return 10_000 / self.scale
