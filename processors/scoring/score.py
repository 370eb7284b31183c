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
from operator import itemgetter
from typing import NamedTuple

from processors.measures import MeasureValue, View
from processors.model import Model, Plan
from processors.model.plan.plan import PlanTerm
from processors.scoring.caps import apply_caps
from processors.scoring.measure_score import MeasureScore, known_value, score_measure
from processors.scoring.tally import tally
from processors.silent_sources import NOTHING_FROZEN, FrozenSources, frozen_values
from processors.state.account import OverrideValue, State
from schemas.records import BAND_ORDER, Adjustment, Cap, Measure

__all__ = ["BandState", "Verdict", "assess", "in_force", "inform", "settle", "weigh"]

_REASONS = 5
_WORTH_SAYING = 100
_REMEMBERED = 16_384


class Verdict(NamedTuple):
    """
    A score in hundredths of a point with everything it was made of; ``settle`` finds the band.

    ``judged`` tells whether enough is known for a band. ``due`` is the next time at which the age of
    evidence, a cap's end or a variant's end changes something.
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


class BandState(NamedTuple):
    """The band since a time, the band that waits to follow it since a time, and when to look again."""

    band: str
    since: int
    pending: str = ""
    pending_since: int = -1
    due: int | None = None


_lost = itemgetter(0)


class _TermResult(NamedTuple):
    """What a term says: the hundredths of a point it brings, its weight if known, what it lost and why."""

    points: int
    known: float
    lost: tuple[int, str]
    measure: Measure
    moments: tuple[int, ...]


def in_force(view: View) -> dict[str, OverrideValue]:
    """Return the overrides of an account that hold, by target."""
    return {target: word for target, word in view.state.overrides.items() if word.holds(view.now)}


def override_reason(word: OverrideValue) -> str:
    """Return an override in words."""
    return f"Set to {word.value:g} by {word.author}: {word.reason}"


def assess(state: State, now: int, model: Model, held: FrozenSources = NOTHING_FROZEN) -> Verdict:
    """Return the verdict on an account at *now* (journal time, UTC milliseconds), some sources held."""
    view = View(state, now)
    plan = model.for_account(view)
    return weigh(plan, frozen_values(plan.reads, view, held), view, model.next_change(now))


def weigh(plan: Plan, facts: Sequence[MeasureValue], view: View, ends: int | None = None) -> Verdict:
    """Return the verdict from facts in the order of ``plan.reads``; at ``ends`` another plan may apply."""
    overrides = in_force(view) if view.state.overrides else {}
    said, total, adjustments = _said(plan, facts, view.now, overrides)
    held = apply_caps(plan, facts, view, total)
    later = held.moments
    measures, shares, worst = [], [], []
    for _, known, lost, measure, moments in said:
        measures.append(measure)
        shares.append(known)
        if lost[0] >= _WORTH_SAYING:
            worst.append(lost)
        if moments:
            later += moments
    if ends is not None:
        later.append(ends)
    score, doubts = held.score, held.doubts
    if overrides:
        later += [one.until for one in overrides.values() if one.until is not None]
        if (word := overrides.get("score")) is not None:
            score, doubts = round((word.value or 0.0) * 100), []
            brought = (score - held.score) / 100
            adjustments = [
                *adjustments,
                Adjustment(name="override", contribution=brought, reason=override_reason(word)),
            ]
    coverage = round(sum(shares) / 100, 6)
    worst.sort(key=_lost, reverse=True)  # equals stay in the model's order
    reasons = [override_reason(word) for word in overrides.values()] if overrides else []
    reasons += doubts
    if held.caps:
        reasons += [cap.reason for cap in held.caps]
    reasons += [why for _, why in worst]
    return Verdict(
        plan,
        score,
        coverage,
        "score" in overrides or (coverage >= plan.min_coverage and not doubts),
        tuple(measures),
        tuple(adjustments),
        tuple(held.caps),
        tuple(dict.fromkeys(reasons))[:_REASONS],
        min([moment for moment in later if moment > view.now], default=None) if later else None,
    )


def inform(plan: Plan, facts: Sequence[MeasureValue], now: int) -> tuple[list[Measure], int | None]:
    """
    Return the known ones of the measures that only inform, from facts in the order of ``plan.shows``.

    With them comes the next time at which the age of evidence changes one of them.
    """
    ratio = 100 / plan.scale
    told = [_alone(term, facts[term.at], score_measure(term, facts, now), ratio) for term in plan.informs]
    return (
        [one.measure for one in told if one.measure.value is not None],
        min([moment for one in told for moment in one.moments], default=None),
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
    better = _rank(band) > _rank(state.band)
    wait = bands.better_for if better else bands.worse_for
    if not wait:
        return BandState(band, now)
    same_way = state.pending_band and (_rank(state.pending_band) > _rank(state.band)) == better
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
    if before not in bands.names or _rank(plain) <= _rank(before):
        return plain
    return max(bands.of(verdict.score - bands.margin), before, key=_rank)


def _rank(band: str) -> int:
    return BAND_ORDER.index(band)


def _said(
    plan: Plan, facts: Sequence[MeasureValue], now: int, overrides: Mapping[str, OverrideValue]
) -> tuple[Sequence[_TermResult], int, Sequence[Adjustment]]:
    """Return what each term says, the score in hundredths of a point, and what else is in it."""
    ratio = 100 / plan.scale
    if plan.linear:
        said = [
            _plainly(term, facts[term.at], ratio)
            if term.plain and term.name not in overrides
            else _alone(term, facts[term.at], _judged(term, facts, now, overrides, ratio), ratio)
            for term in plan.terms
        ]
        return said, sum([one.points for one in said]), ()
    judgements = [_judged(term, facts, now, overrides, ratio) for term in plan.terms]
    total, points, adjustments = tally(plan, [judged.score for judged in judgements])
    together = zip(plan.terms, judgements, points, strict=True)
    return (
        [_say(t, facts[t.at], judged, brought, ratio) for t, judged, brought in together],
        total,
        adjustments,
    )


def _judged(
    term: PlanTerm,
    facts: Sequence[MeasureValue],
    now: int,
    overrides: Mapping[str, OverrideValue],
    ratio: float,
) -> MeasureScore:
    """Return what the facts say of a term, or a person in their place."""
    word = overrides.get(term.name)
    if word is None or word.value is None:
        return score_measure(term, facts, now)
    return MeasureScore(known_value(facts[term.at]), word.value / ratio, override_reason(word), known=True)


@lru_cache(_REMEMBERED)
def _plainly(term: PlanTerm, fact: MeasureValue, ratio: float) -> _TermResult:
    """Return what a plain term says of a fact; most facts of an account are what they were before."""
    value = known_value(fact)
    score = None if value is None or term.curve is None else term.curve.score(value)
    return _alone(term, fact, MeasureScore(value, score, fact.reason, value is not None, fact.held), ratio)


def _alone(term: PlanTerm, fact: MeasureValue, judged: MeasureScore, ratio: float) -> _TermResult:
    points = 0 if judged.score is None else round(term.factor * judged.score)
    return _say(term, fact, judged, points, ratio)


def _say(term: PlanTerm, fact: MeasureValue, judged: MeasureScore, points: int, ratio: float) -> _TermResult:
    measure = Measure(
        name=term.name,
        value=judged.value,
        unit=term.unit,
        score=None if judged.score is None else judged.score * ratio,
        weight=term.weight,
        contribution=points / 100,
        reason=judged.reason,
        group=term.group,
        as_of=fact.as_of,
        stale=judged.stale,
    )
    known = term.weight if judged.known else 0.0
    return _TermResult(points, known, (term.most - points, judged.reason), measure, judged.moments)
