"""Samples of customers that never were: which signs they show, and who leaves, is drawn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bellbuoy.calibration.form import ProductForm
from bellbuoy.calibration.samples import Samples
from processors.model import DEFAULT

__all__ = ["SIGNS", "drawn_samples"]

SIGNS = {"usage.gap": (0.0, 4.0), "support.troubled": (0.0, 8.0), "billing.payment": (0.0, 5.0)}
"""Measures of the default model that the customers show: the value without a sign, and the worst one."""

_FIRST_DAY, _SIGN_WEEKS = 84, 8


def drawn_samples(
    accounts: int, weeks: int, weekly_risk: Mapping[str, float], *, base: float = 0.002, seed: int = 1
) -> Samples:
    """
    Return weekly samples of customers who show signs for some weeks, and leave by the risk of each week.

    ``weekly_risk`` is what each sign adds to the risk of leaving in a week, ``base`` that of everybody.
    """
    draw = np.random.default_rng(seed)
    form = ProductForm(DEFAULT)
    names = list(SIGNS)
    begins = draw.integers(-_SIGN_WEEKS, weeks, size=(accounts, len(names)))
    week = np.arange(weeks)
    shown = (week[None, :, None] >= begins[:, None, :]) & (
        week[None, :, None] < begins[:, None, :] + _SIGN_WEEKS
    )
    shown &= draw.random((accounts, 1, len(names))) < 0.5
    risk = base + shown @ np.array([weekly_risk.get(name, 0.0) for name in names])
    goes = draw.random((accounts, weeks)) < risk
    left = np.where(goes.any(axis=1), goes.argmax(axis=1), weeks + 1000)
    who, at = np.nonzero(week[None, :] <= left[:, None])
    values = np.zeros((len(who), len(form.terms)))
    scores = np.ones_like(values)
    for place, name in enumerate(names):
        column = form.terms.index(name)
        calm, worst = SIGNS[name]
        values[:, column] = np.where(shown[who, at, place], worst, calm)
        scores[:, column] = np.where(shown[who, at, place], 0.0, 1.0)
    samples = Samples(
        who=who,
        day=_FIRST_DAY + 7 * at,
        values=values,
        scores=scores,
        limit=np.ones(len(who)),
        score=np.ones(len(who)),
        judged=np.ones(len(who), bool),
        leaves_in=np.where(left[who] < weeks, (left[who] - at) * 7 + 3.0, np.inf),
        known_for=(weeks - at) * 7.0,
        calm=left[who] > weeks,
    )
    samples.score[:] = form.scores(samples, form.values)
    return samples
