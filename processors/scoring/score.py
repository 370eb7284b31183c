"""
Score an account with a model: weigh its measures, apply the caps, choose the band.

What is published is in hundredths of a point as whole numbers, so the contributions of measures,
adjustments and caps sum to the score exactly. A measure that is not known brings nothing unless its model
says otherwise, so missing data never improves a band. A measure without weight informs: it is shown once
it is known, and counts for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from processors.measures import MeasureValue
from processors.model import Model, Plan
from processors.model.plan.plan import PlanTerm
from processors.scoring.caps import apply_caps
from processors.scoring.measure_score import MeasureScore, known_value, score_measure
from processors.scoring.reasons import LEAST_TAKEN, Loss, ordered
from processors.scoring.tally import tally
from processors.silent_sources import NOTHING_FROZEN, FrozenSources, frozen_values
from processors.state.account import OverrideValue, State
from processors.view import View
from schemas.records import Adjustment, Cap, Measure

__all__ = ["REASONS", "BandState", "Verdict", "assess", "in_force", "inform", "settle", "weigh"]

REASONS = 5
"""Reasons that a verdict names, the worst first."""

_WORTH_NAMING = round(LEAST_TAKEN * 100)
_CACHED_RESULTS = 16_384


class Verdict(NamedTuple):
    """
    A score in hundredths of a point with everything it was made of; ``settle`` finds the band.

    ``judged`` tells whether enough is known for a band; ``doubts`` are the reasons why a cap can't be judged.
    ``due`` is the next time at which the age of evidence, a cap's end or a variant's end changes something.
    ``floor`` is the score if everything that is not known were at its worst; ``None``: the score itself.
    A ``lasting`` verdict holds at every later time at which the facts are the same, until another plan does.
    """

    plan: Plan
    score: int
    coverage: float
    judged: bool
    measures: tuple[Measure, ...]
    adjustments: tuple[Adjustment, ...]
    caps: tuple[Cap, ...]
    reasons: tuple[str, ...]
    due: int | None
    doubts: tuple[str, ...] = ()
    floor: int | None = None
    lasting: bool = False

    def with_end(self, ends: int | None, now: int) -> Verdict:
        """Return a lasting verdict at *now*, when the next plan may apply at ``ends``."""
        due = ends if ends is not None and ends > now else None
        return self if due == self.due else self._replace(due=due)


class BandState(NamedTuple):
    """The band since a time, the band that waits to follow it since a time, and when to look again."""

    band: str
    since: int
    pending: str = ""
    pending_since: int = -1
    due: int | None = None


_BEST = OverrideValue(value=100.0)


class _TermResult(NamedTuple):
    """Result of a term: the hundredths of a point it brings, its weight if known, what it lost and why."""

    points: int
    known: float
    lost: tuple[int, str]
    measure: Measure
    moments: tuple[int, ...]


def in_force(view: View) -> dict[str, OverrideValue]:
    """Return the overrides of an account that hold, by target."""
    return {target: override for target, override in view.state.overrides.items() if override.holds(view.now)}


def override_reason(override: OverrideValue) -> str:
    """Return an override in words."""
    return f"Set to {override.value:g} by {override.author}: {override.reason}"


def assess(state: State, now: int, model: Model, frozen: FrozenSources = NOTHING_FROZEN) -> Verdict:
    """Return the verdict on an account at *now* (journal time, UTC milliseconds), some sources frozen."""
    view = View(state, now)
    plan = model.for_account(view)
    return weigh(plan, frozen_values(plan.reads, view, frozen), view, model.next_change(now))


def weigh(
    plan: Plan,
    facts: Sequence[MeasureValue],
    view: View,
    ends: int | None = None,
    *,
    untold: frozenset[str] | None = None,
) -> Verdict:
    """
    Return the verdict from facts in the order of ``plan.reads``; at ``ends`` another plan may apply.

    With ``untold`` it is the verdict without what people know already: without overrides, without the caps on
    these measures, and as if these were at their best.
    """
    if untold is None:
        overrides = in_force(view) if view.state.overrides else {}
    else:
        overrides = {term.name: _BEST for term in plan.terms if plan.reads[term.at].name in untold}
    results, total, adjustments, floor = _score_terms(plan, facts, view.now, overrides)
    capped = apply_caps(plan, facts, view, total, untold or ())
    if floor is not None:
        floor = min([floor, *(round(cap.limit * 100) for cap in capped.caps)])
    later = capped.moments
    measures, shares, worst = [], [], []
    for _, known, lost, measure, moments in results:
        measures.append(measure)
        shares.append(known)
        if lost[0] >= _WORTH_NAMING:
            worst.append(Loss(lost[0], lost[1], measure.group or measure.name))
        if moments:
            later += moments
    if ends is not None:
        later.append(ends)
    score, doubts = capped.score, capped.doubts
    if overrides:
        later += [one.until for one in overrides.values() if one.until is not None]
        if (override := overrides.get("score")) is not None:
            score, doubts, floor = round((override.value or 0.0) * 100), [], None
            brought = (score - capped.score) / 100
            adjustments = [
                *adjustments,
                Adjustment(name="override", contribution=brought, reason=override_reason(override)),
            ]
    coverage = round(sum(shares) / 100, 6)
    said = overrides if untold is None else {}
    reasons = [override_reason(override) for override in said.values()] if said else []
    reasons += doubts
    if capped.caps:
        reasons += [cap.reason for cap in capped.caps]
    reasons += ordered(worst, by_family=plan.root.kind == "product")
    return Verdict(
        plan,
        score,
        coverage,
        "score" in overrides
        or (coverage >= plan.min_coverage and not doubts and _certain(plan, score, floor)),
        tuple(measures),
        tuple(adjustments),
        tuple(capped.caps),
        tuple(dict.fromkeys(reasons))[:REASONS],
        min([moment for moment in later if moment > view.now], default=None) if later else None,
        tuple(doubts),
        floor,
        lasting=plan.timeless and not capped.caps and untold is None and not view.state.overrides,
    )


def inform(plan: Plan, facts: Sequence[MeasureValue], now: int) -> tuple[list[Measure], int | None]:
    """
    Return the known ones of the measures that only inform, from facts in the order of ``plan.shows``.

    With them comes the next time at which the age of evidence changes one of them.
    """
    ratio = 100 / plan.scale
    informing = [
        _linear_result(term, facts[term.at], score_measure(term, facts, now), ratio) for term in plan.informs
    ]
    return (
        [one.measure for one in informing if one.measure.value is not None],
        min([moment for one in informing for moment in one.moments], default=None),
    )


def settle(verdict: Verdict, state: State, now: int) -> BandState:
    """
    Return where an account stands at *now*, given its last band in the state.

    Down at once and up only a margin above the better band's edge, unless the model lets a band wait;
    to and from ``unknown`` at once.
    """
    band, bands = _band(verdict, state.band), verdict.plan.bands
    if band == state.band:
        return BandState(band, state.band_since if state.band_since >= 0 else now)
    if "unknown" in (band, state.band):
        return BandState(band, now)
    better = bands.is_better(band, state.band)
    if better is None:
        return BandState(band, now)
    wait = bands.better_for if better else bands.worse_for
    if not wait:
        return BandState(band, now)
    same_way = state.pending_band and bands.is_better(state.pending_band, state.band) == better
    since = state.pending_since if same_way else now
    if now - since >= wait:
        return BandState(band, now)
    return BandState(state.band, state.band_since, band, since, since + wait)


def _band(verdict: Verdict, before: str) -> str:
    """Return the band with hysteresis but without waiting."""
    if not verdict.judged:
        return "unknown"
    bands = verdict.plan.bands
    plain = bands.of(verdict.score)
    if before not in bands.names or not bands.is_better(plain, before):
        return plain
    sure = verdict.score if verdict.floor is None else verdict.floor
    return max(bands.of(sure - bands.margin), before, key=bands.names.index)


def _certain(plan: Plan, score: int, floor: int | None) -> bool:
    """Tell whether the band would be the same if everything that is not known were at its worst."""
    return floor is None or plan.bands.of(floor) == plan.bands.of(score)


def _score_terms(
    plan: Plan, facts: Sequence[MeasureValue], now: int, overrides: Mapping[str, OverrideValue]
) -> tuple[Sequence[_TermResult], int, Sequence[Adjustment], int | None]:
    """Return the result of each term, the score in hundredths of a point, its adjustments and its floor."""
    ratio = 100 / plan.scale
    if plan.linear:
        results = [
            _plain_result(term, facts[term.at], ratio)
            if term.plain and term.name not in overrides
            else _linear_result(
                term, facts[term.at], _measure_score(term, facts, now, overrides, ratio), ratio
            )
            for term in plan.terms
        ]
        return results, sum([one.points for one in results]), (), None
    parts = [
        _plain_part(term, facts[term.at], 0, ratio)
        if term.plain and term.name not in overrides
        else _part(term, facts[term.at], _measure_score(term, facts, now, overrides, ratio), 0, ratio)
        for term in plan.terms
    ]
    values = [value for value, _ in parts]
    total, points, adjustments = tally(plan, values)
    floor = None
    if plan.root.kind == "product" and None in values:
        floor, _, _ = tally(plan, [0.0 if value is None else value for value in values])
    results = [result for _, result in parts]
    for place, brought in enumerate(points):
        if brought:
            term = plan.terms[place]
            if term.plain and term.name not in overrides:
                results[place] = _plain_part(term, facts[term.at], brought, ratio)[1]
            else:
                scored = _measure_score(term, facts, now, overrides, ratio)
                results[place] = _term_result(term, facts[term.at], scored, brought, ratio)
    return results, total, adjustments, floor


def _measure_score(
    term: PlanTerm,
    facts: Sequence[MeasureValue],
    now: int,
    overrides: Mapping[str, OverrideValue],
    ratio: float,
) -> MeasureScore:
    """Return the score of a term from the facts, or from the override that a person set on it."""
    override = overrides.get(term.name)
    if override is None or override.value is None:
        return score_measure(term, facts, now)
    return MeasureScore(
        known_value(facts[term.at]), override.value / ratio, override_reason(override), known=True
    )


@lru_cache(_CACHED_RESULTS)
def _plain_result(term: PlanTerm, fact: MeasureValue, ratio: float) -> _TermResult:
    """Return the result of a plain term; cached, because most facts of an account did not change."""
    return _linear_result(term, fact, _plain_score(term, fact), ratio)


@lru_cache(_CACHED_RESULTS)
def _plain_part(
    term: PlanTerm, fact: MeasureValue, points: int, ratio: float
) -> tuple[float | None, _TermResult]:
    """Return the score of a plain term, and its result when it brings these points; cached likewise."""
    return _part(term, fact, _plain_score(term, fact), points, ratio)


def _part(
    term: PlanTerm, fact: MeasureValue, scored: MeasureScore, points: int, ratio: float
) -> tuple[float | None, _TermResult]:
    return scored.score, _term_result(term, fact, scored, points, ratio)


def _plain_score(term: PlanTerm, fact: MeasureValue) -> MeasureScore:
    """Return the score of a plain term from its fact alone."""
    value = known_value(fact)
    score = None if value is None or term.curve is None else term.curve.score(value)
    return MeasureScore(value, score, fact.reason, value is not None, fact.held)


def _linear_result(term: PlanTerm, fact: MeasureValue, scored: MeasureScore, ratio: float) -> _TermResult:
    points = 0 if scored.score is None else round(term.factor * scored.score)
    return _term_result(term, fact, scored, points, ratio)


def _term_result(
    term: PlanTerm, fact: MeasureValue, scored: MeasureScore, points: int, ratio: float
) -> _TermResult:
    measure = Measure(
        name=term.name,
        value=scored.value,
        unit=term.unit,
        score=None if scored.score is None else scored.score * ratio,
        weight=term.weight,
        contribution=points / 100,
        reason=scored.reason,
        group=term.group,
        as_of=fact.as_of,
        stale=scored.stale,
    )
    known = term.weight if scored.known else 0.0
    return _TermResult(points, known, (term.most - points, scored.reason), measure, scored.moments)
