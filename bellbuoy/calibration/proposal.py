"""Proposal of a calibration: what would change in the model file, and what that does to accounts held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bellbuoy.backtest.observations import FIRST_DAY
from bellbuoy.backtest.reliability import HORIZON_DAYS
from bellbuoy.calibration.bands import fit_edges
from bellbuoy.calibration.effect import Effect, UnseenScores, measure_effect
from bellbuoy.calibration.fitting import Fitted, fit
from bellbuoy.calibration.form import Points, ProductForm
from bellbuoy.calibration.model_text import Path, edited
from bellbuoy.calibration.probability import fit_probability, probability_at
from bellbuoy.calibration.samples import Samples
from bellbuoy.errors import OperatorError
from bellbuoy.exit_codes import FAILED
from processors.model import Model, load_model
from processors.model.file.format import ModelSpec

__all__ = ["NEEDED_CHURNERS", "FamilyChange", "Proposal", "TooLittleHistoryError", "propose"]

NEEDED_CHURNERS = 30
"""Accounts that must have left within the horizon of an observation before anything is proposed."""

_NEEDED_LATER = 10
_FOLDS = 5
_EARLY_SHARE = 0.6
_MONTH_DAYS = 30

Floats = NDArray[np.float64]


class TooLittleHistoryError(OperatorError):
    """
    The history holds too few accounts that left; the message says how many, and how many are needed.

    Operator action: give more of the past (`bellbuoy calibrate --from`), or wait.
    """

    exit_code: ClassVar[int] = FAILED


@dataclass(frozen=True, slots=True)
class FamilyChange:
    """
    A family's weight in the file and in the proposal.

    ``churners`` of all who left showed a sign of it within the horizon, ``calm_share`` is the share of
    observations without churn that did.
    """

    name: str
    before: float
    after: float
    churners: int
    calm_share: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """
    A proposal: the new text of the model file, and what changes.

    ``strength`` is how many churners the file's weights counted as. ``by_accounts`` is the effect on accounts
    held out, ``by_time`` that on a later time (``None``: too few left then). ``notes`` say what stays as it
    is, and why.
    """

    text: str
    accounts: int
    observations: int
    churners: int
    strength: float | None
    families: tuple[FamilyChange, ...]
    curves: tuple[tuple[str, Points, Points], ...]
    edges: tuple[tuple[str, float, float], ...]
    probability: Points
    by_accounts: Effect
    by_time: Effect | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Everything that is proposed: weights and curves (``None``: the file's), edges, probability."""

    fitted: Fitted | None
    edges: list[float] | None
    probability: Points


class _Calibrator:
    """Fits a model's numbers to samples, and applies them to others."""

    def __init__(self, model: Model) -> None:
        self.spec = ModelSpec.model_validate_json(model.text)
        self.form = ProductForm(model) if model.plan.root.kind == "product" else None
        self.places = [place for place, band in enumerate(self.spec.bands[:-1]) if band.severity != "watch"]

    def fit(self, samples: Samples, *, weights: bool) -> _Numbers:
        """Return the numbers that fit samples; without ``weights`` those of the file stay."""
        fitted = fit(self.form, samples) if weights and self.form is not None else None
        scores = self.scores(samples, fitted)
        edges = fit_edges(self.spec, scores[samples.judged], samples.churners)
        return _Numbers(fitted, edges, fit_probability(samples, scores))

    def scores(self, samples: Samples, fitted: Fitted | None) -> Floats:
        """Return the scores of samples under fitted numbers, or under the file's."""
        if fitted is None or self.form is None:
            return samples.score
        return self.form.scores(samples, fitted.values)

    def risk_edge(self, edges: Sequence[float] | None) -> float:
        """Return the score (0 to 1) below which an account is at risk or critical."""
        if not self.places:
            return 0.0
        last = self.places[-1]
        if edges is not None:
            return edges[last] / self.spec.score.scale
        below, up_to = self.spec.bands[last].below, self.spec.bands[last].up_to
        return ((below if below is not None else up_to) or 0.0) / self.spec.score.scale

    def unseen(self, inside: Samples, outside: Samples, *, weights: bool) -> UnseenScores:
        """Return samples that took no part in a fit, with their scores under it."""
        numbers = self.fit(inside, weights=weights)
        after, count = self.scores(outside, numbers.fitted), len(outside)
        return UnseenScores(
            samples=outside,
            before=outside.score,
            after=after,
            edge=np.full(count, self.risk_edge(None)),
            new_edge=np.full(count, self.risk_edge(numbers.edges)),
            probability=probability_at(numbers.probability, after),
        )


def propose(model: Model, text: str, samples: Samples) -> Proposal:
    """
    Return a proposal for a model, given as a value and as its file's text, from samples of the past.

    Weights and curves are proposed only where accounts that took no part in the fit are ranked better by
    them. Raises TooLittleHistoryError.
    """
    _require_enough(samples)
    calibrator, notes = _Calibrator(model), []
    weights = calibrator.form is not None
    if not weights:
        notes.append("Weights and curves stay: they are fitted for a score with `combine: product` only.")
    by_accounts = _unseen_accounts(calibrator, samples, weights=weights)
    if weights and not measure_effect(by_accounts).ranks_better:
        weights = False
        notes.append(
            "Weights and curves stay: on accounts held out, fitted ones rank no better than the file's."
        )
        by_accounts = _unseen_accounts(calibrator, samples, weights=False)
    numbers = calibrator.fit(samples, weights=weights)
    probability = fit_probability(by_accounts.samples, by_accounts.after)
    later = _unseen_time(calibrator, samples, weights=weights)
    if later is None:
        notes.append(f"Not held out by time: fewer than {_NEEDED_LATER} accounts left early, or later.")
    if numbers.edges is None:
        notes.append("The bands' edges stay: they can't be moved by the share of the book below them.")
    numbers = replace(numbers, probability=probability)
    return Proposal(
        text=_new_text(calibrator, text, numbers),
        accounts=len(np.unique(samples.who)),
        observations=len(samples),
        churners=samples.churners,
        strength=None if numbers.fitted is None else numbers.fitted.strength,
        families=_families(calibrator.form, samples, numbers),
        curves=_curves(calibrator.form, numbers),
        edges=_edges(calibrator.spec, numbers),
        probability=probability,
        by_accounts=measure_effect(by_accounts),
        by_time=None if later is None else measure_effect(later),
        notes=tuple(notes),
    )


def _require_enough(samples: Samples) -> None:
    found = samples.churners
    if found >= NEEDED_CHURNERS:
        return
    needs = (
        f"{found} accounts left within {HORIZON_DAYS} days of an observation, {NEEDED_CHURNERS} are needed"
    )
    if not found:
        more = (
            f"Accounts are observed from day {FIRST_DAY} of the history on, until they give notice or leave: "
            "give a longer history, with the dates on which customers left"
        )
    else:
        weeks = (int(samples.day.max()) - int(samples.day.min()) + 7) / 7
        months = (NEEDED_CHURNERS - found) * weeks * 7 / found / _MONTH_DAYS
        more = f"At this rate that takes about {max(1, round(months))} more months of history"
    raise TooLittleHistoryError(f"too little history: {needs}. {more}. Nothing is proposed")


def _unseen_accounts(calibrator: _Calibrator, samples: Samples, *, weights: bool) -> UnseenScores:
    parts = []
    for fold in range(_FOLDS):
        outside = samples.who % _FOLDS == fold
        parts.append(calibrator.unseen(samples.take(~outside), samples.take(outside), weights=weights))
    order = np.concatenate([np.nonzero(samples.who % _FOLDS == fold)[0] for fold in range(_FOLDS)])
    names = ("before", "after", "edge", "new_edge", "probability")
    together = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return UnseenScores(samples=samples.take(order), **together)


def _unseen_time(calibrator: _Calibrator, samples: Samples, *, weights: bool) -> UnseenScores | None:
    first, last = int(samples.day.min()), int(samples.day.max())
    split = first + round((last - first) * _EARLY_SHARE)
    inside, outside = samples.until(split), samples.take(samples.day >= split)
    if min(inside.churners, outside.churners) < _NEEDED_LATER:
        return None
    return calibrator.unseen(inside, outside, weights=weights)


def _new_text(calibrator: _Calibrator, text: str, numbers: _Numbers) -> str:
    spec, form = calibrator.spec, calibrator.form
    changes: dict[Path, float] = {("version",): spec.version + 1}
    if numbers.fitted is not None and form is not None:
        values = numbers.fitted.values
        for family, before, after in zip(form.families, form.values.weights, values.weights, strict=True):
            if round(after, 2) != round(before, 2):
                changes[*family.path, "weight"] = round(float(after), 2)
        for place, points in values.curves.items():
            for at, ((x, _), (before, _)) in enumerate(zip(points, form.values.curves[place], strict=True)):
                if x != before:
                    changes["measures", form.terms[place], "curve", "points", at, 0] = x
    for at, edge in enumerate(numbers.edges or ()):
        if edge != spec.bands[at].below:
            changes["bands", at, "below"] = edge
    chances = [(score * spec.score.scale, chance) for score, chance in numbers.probability]
    new = edited(text, changes, {"churn_probability": chances})
    load_model(new)
    return new


def _families(form: ProductForm | None, samples: Samples, numbers: _Numbers) -> tuple[FamilyChange, ...]:
    if form is None or numbers.fitted is None:
        return ()
    shown = form.badness(samples, numbers.fitted.values.curves) > 0
    left = samples.left
    return tuple(
        FamilyChange(
            name=family.name,
            before=float(form.values.weights[column]),
            after=round(float(numbers.fitted.values.weights[column]), 2),
            churners=len(np.unique(samples.who[left & shown[:, column]])),
            calm_share=float(shown[~left, column].mean()),
        )
        for column, family in enumerate(form.families)
    )


def _curves(form: ProductForm | None, numbers: _Numbers) -> tuple[tuple[str, Points, Points], ...]:
    if form is None or numbers.fitted is None:
        return ()
    return tuple(
        (form.terms[place], form.values.curves[place], points)
        for place, points in numbers.fitted.values.curves.items()
        if points != form.values.curves[place]
    )


def _edges(spec: ModelSpec, numbers: _Numbers) -> tuple[tuple[str, float, float], ...]:
    return tuple(
        (band.band, band.below or 0.0, edge)
        for band, edge in zip(spec.bands[:-1], numbers.edges or (), strict=False)
        if band.below != edge
    )
