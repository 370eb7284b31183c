"""Baselines of a backtest: single signs that anybody would sort by, and what is learned of other worlds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from processors.fold.partition import FoldedPartition
from processors.measures import MEASURES
from processors.view import View
from schemas.identity.keys import account_key

__all__ = ["BASELINES", "LEARNERS", "TrainingWorld", "baseline_risk", "learned_risk", "measure_values"]

Floats: TypeAlias = NDArray[np.float64]

BASELINES: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "days without usage": ("usage.silence", 1),
        "change of usage in 28 days": ("usage.trend", -1),
        "days to the renewal": ("billing.renewal", -1),
        "NPS": ("surveys.nps", -1),
    }
)
"""The measure of each baseline, and 1 where a high value is risky, -1 where a low one is."""

_NAMES = tuple(MEASURES)
_FEWEST_CHURNERS = 20


@dataclass(frozen=True, slots=True)
class TrainingWorld:
    """World to learn from: of each observation the values of all measures, and whether it left in 30 days."""

    values: Floats
    left: NDArray[np.bool_]


def measure_values(partition: FoldedPartition, accounts: Sequence[tuple[str, str]], now: int) -> Floats:
    """Return the values of all measures, a row for each account; NaN where not known."""
    values = np.full((len(accounts), len(_NAMES)), np.nan)
    for place, (tenant, account_id) in enumerate(accounts):
        try:
            state = partition.state(account_key(tenant, account_id))
        except KeyError:
            continue
        view = View(state, now, partition.shared.lost_days(tenant))
        for column, name in enumerate(_NAMES):
            value = MEASURES[name](view).value
            if value is not None:
                values[place, column] = value
    return values


def baseline_risk(name: str, values: Floats) -> Floats:
    """Return the risk by a single sign; what is not known is NaN."""
    measure, sign = BASELINES[name]
    return np.asarray(sign * values[..., _NAMES.index(measure)], float)


def learned_risk(learner: str, others: Sequence[TrainingWorld], values: Floats) -> Floats | None:
    """
    Return the risk of observations by one of ``LEARNERS`` that learned from other worlds.

    ``None``: there is no other world, too few left in it, or the extra ``backtest`` is not installed.
    """
    if sum(int(sample.left.sum()) for sample in others) < _FEWEST_CHURNERS:
        return None
    seen = np.vstack([sample.values for sample in others])
    differs = np.array([len(np.unique(column[~np.isnan(column)][:5_000])) > 1 for column in seen.T])
    try:
        made = LEARNERS[learner]()
    except ModuleNotFoundError:
        return None
    made.fit(seen[:, differs], np.concatenate([sample.left for sample in others]))
    return np.asarray(made.predict_proba(values[:, differs])[:, 1], float)


def _regression() -> Any:
    from sklearn.impute import SimpleImputer  # type: ignore[import-untyped]  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]  # noqa: PLC0415
    from sklearn.preprocessing import QuantileTransformer  # type: ignore[import-untyped]  # noqa: PLC0415

    return make_pipeline(
        SimpleImputer(strategy="median"),
        QuantileTransformer(n_quantiles=100, random_state=0),
        LogisticRegression(C=0.3, max_iter=500),
    )


def _boosting() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier  # type: ignore[import-untyped]  # noqa: PLC0415

    return HistGradientBoostingClassifier(
        max_iter=80, learning_rate=0.08, max_leaf_nodes=12, min_samples_leaf=60, l2_regularization=5,
        early_stopping=False, random_state=0,
    )  # fmt: skip


LEARNERS: Mapping[str, Callable[[], Any]] = MappingProxyType(
    {"logistic regression": _regression, "boosted trees": _boosting}
)
"""What learns from all measures of other accounts who leaves in 30 days: references, never the product."""
