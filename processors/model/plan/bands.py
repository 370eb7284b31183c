"""Bands: the ranges of the score that have names."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from processors.model.file.bands import BandSpec, HysteresisSpec
from schemas.records import BAND_ORDER

__all__ = ["Bands", "compile_bands"]


@dataclass(frozen=True, slots=True)
class Bands:
    """
    Bands from the worst up; scores are in hundredths of a point.

    ``severities`` say how bad each is: one of ``BAND_ORDER``, which is published as an account's band.
    ``ends`` are the first scores of the second and all better bands. A better band is entered only
    ``margin`` above its edge. ``better_for`` and ``worse_for`` are the milliseconds for which the score must
    be in a band before the band is entered.
    """

    names: tuple[str, ...]
    severities: tuple[str, ...]
    labels: tuple[str, ...]
    ends: tuple[int, ...]
    margin: int = 0
    better_for: int = 0
    worse_for: int = 0

    def of(self, score: int) -> str:
        """Return the band of a score, whatever the band before it."""
        return self.names[bisect_right(self.ends, score)]

    def severity(self, band: str) -> str:
        """Return how bad a band is: one of ``BAND_ORDER``, or unknown, as a band of another model is too."""
        if band in self.names:
            return self.severities[self.names.index(band)]
        return band if band in BAND_ORDER else "unknown"

    def is_better(self, band: str, other: str) -> bool | None:
        """Tell whether a band is better than another; ``None`` where one is of a model with other names."""
        if band in self.names and other in self.names:
            return self.names.index(band) > self.names.index(other)
        severities = self.severity(band), self.severity(other)
        if "unknown" in severities:
            return None
        return BAND_ORDER.index(severities[0]) > BAND_ORDER.index(severities[1])

    def label(self, band: str) -> str:
        """Return a band's name for people; '' for a name of BAND_ORDER to which the model gives no other."""
        if band not in self.names:
            return ""
        own = "" if band in BAND_ORDER else band.replace("_", " ")
        return self.labels[self.names.index(band)] or own


def compile_bands(specs: Sequence[BandSpec], hysteresis: HysteresisSpec, scale: float) -> Bands:
    """Return the bands of a model whose best score is *scale*."""
    hundredths = 10_000 / scale
    ends = []
    for end in (spec.end for spec in specs):
        if end is not None:
            value, included = end
            # Scores are whole hundredths: 1e-6 takes off what binary fractions add to an edge.
            ends.append(floor(value * hundredths + 1e-6) + 1 if included else ceil(value * hundredths - 1e-6))
    return Bands(
        tuple(spec.band for spec in specs),
        tuple(spec.severity for spec in specs),
        tuple(spec.label or "" for spec in specs),
        tuple(ends),
        round(hysteresis.margin * hundredths),
        hysteresis.better_for,
        hysteresis.worse_for,
    )
