"""Fitted numbers as the text of a model file."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bench.signal.fit import KNOTS

__all__ = ["written"]

Floats = NDArray[np.float64]
_HEAVIEST = 0.98


def written(text: str, pieces: Mapping[str, Floats]) -> str:
    """
    Return a model file's text with the weights and curves of these pieces; everything else stays.

    A family's weight is what all its signs together take at their worst, a sign's what it takes alone.
    """
    for family, signs in KNOTS.items():
        totals = {sign.measure: np.concatenate([[0.0], np.cumsum(pieces[sign.measure])]) for sign in signs}
        worst = {name: 1 - np.exp(-total[-1]) for name, total in totals.items()}
        weight = round(min(_HEAVIEST, 1 - float(np.exp(-sum(total[-1] for total in totals.values())))), 2)
        text, found = re.subn(rf"(  {family}: {{title: [^}}]*?weight: )[\d.]+", rf"\g<1>{weight:g}", text)
        if not found:
            raise ValueError(f"the model file has no group {family} on one line")
        for sign in signs:
            share = min(1.0, worst[sign.measure] / weight) if weight else 0.0
            alone = share * weight
            points = [
                (x, round(100 * (1 - (1 - np.exp(-total)) / alone)) if alone else 100)
                for x, total in zip(sign.knots, totals[sign.measure].tolist(), strict=True)
            ]
            points[-1] = (points[-1][0], 0)
            shown = ", ".join(f"[{x:g}, {max(0, y):g}]" for x, y in sorted(_needed(points)))
            line = f"  {sign.measure}: {{group: {family}, weight: {share:.2g}, curve: {{points: [{shown}]}}}}"
            text, found = re.subn(rf"  {re.escape(sign.measure)}: {{group.*", line, text)
            if not found:
                raise ValueError(f"the model file does not count {sign.measure} on one line")
    return text


def _needed(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points without those at the best end that repeat the best score."""
    while len(points) > 2 and points[0][1] == points[1][1] == 100:
        points = points[1:]
    return points
