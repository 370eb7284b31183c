"""Edges of bands: so much of the book in each as people can look at, and not far from the file's."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from processors.model.file.bands import BandSpec
from processors.model.file.format import ModelSpec

__all__ = ["BOOK_SHARES", "fit_edges"]

BOOK_SHARES = {"critical": 0.05, "at_risk": 0.12, "watch": 0.25}
"""The share of the book that is in a band or a worse one."""

_STRENGTH = 30.0
"""How many churners the file's edges count as."""

_HIGHEST, _APART = 0.95, 0.02

Floats = NDArray[np.float64]


def fit_edges(spec: ModelSpec, scores: Floats, churners: int) -> list[float] | None:
    """
    Return the edge of each band but the last, on the model's scale, given the scores (0 to 1) of the book.

    Between the file's edge and that which leaves ``BOOK_SHARES`` below it, nearer to that the more churners
    were seen. ``None`` where two bands are equally bad, or an edge is not given by ``below``.
    """
    bands = spec.bands[:-1]
    if len({band.severity for band in bands}) < len(bands) or any(band.below is None for band in bands):
        return None
    scale, edges = spec.score.scale, []
    for band in bands:
        usual = _edge(band, scale)
        share = BOOK_SHARES.get(band.severity)
        if share is not None and len(scores):
            wanted = min(float(np.quantile(scores, share)), _HIGHEST)
            usual = (churners * wanted + _STRENGTH * usual) / (churners + _STRENGTH)
        edges.append(round(usual * scale, 0 if scale >= 50 else 2))
    if any(b - a < _APART * scale for a, b in pairwise(edges)) or edges[0] <= 0:
        return None
    return edges


def _edge(band: BandSpec, scale: float) -> float:
    return (band.below or 0.0) / scale
