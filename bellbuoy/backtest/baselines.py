"""Baselines of a backtest: single signs that anybody would sort a list of customers by."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from processors.fold.partition import FoldedPartition
from processors.measures import MEASURES, View
from schemas.identity.keys import account_key

__all__ = ["BASELINES", "baseline_risks"]

BASELINES: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "days without usage": ("usage.silence", 1),
        "change of usage in 28 days": ("usage.trend", -1),
        "days to the renewal": ("billing.renewal", -1),
        "NPS": ("surveys.nps", -1),
    }
)
"""The measure of each baseline, and 1 where a high value is risky, -1 where a low one is."""


def baseline_risks(
    partition: FoldedPartition, accounts: tuple[tuple[str, str], ...], now: int
) -> dict[str, NDArray[np.float64]]:
    """Return the risk of each account by each baseline; what is not known is of middling risk, NaN here."""
    risks = {name: np.full(len(accounts), np.nan) for name in BASELINES}
    for place, (tenant, account_id) in enumerate(accounts):
        try:
            state = partition.state(account_key(tenant, account_id))
        except KeyError:
            continue
        view = View(state, now)
        for name, (measure, sign) in BASELINES.items():
            value = MEASURES[measure](view).value
            if value is not None:
                risks[name][place] = sign * value
    return risks
