"""Bands of the model file: their order, what keeps them from changing to and fro, and churn by score."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from processors.model.file.curves import EdgeSpec, rising
from processors.model.file.values import Duration, FileSpec, Name, Number, spec_error
from schemas.records import BAND_ORDER
from schemas.suggestions import suggestion

__all__ = ["BandSpec", "HysteresisSpec", "falling_chance", "improving"]


class BandSpec(EdgeSpec):
    """A band over the score, from the worst up."""

    band: Name = Field(description="The band's name; critical, at_risk, watch and healthy say how bad it is.")
    named: Literal["critical", "at_risk", "watch", "healthy"] | None = Field(
        None,
        alias="is",
        description="How bad a band with another name is: what alert rules, roll-ups and colours go by.",
    )
    label: Annotated[str, Field(min_length=1, max_length=40)] | None = Field(
        None, description="The band's name for people, such as Red."
    )

    @model_validator(mode="after")
    def _severity_is_known(self) -> BandSpec:
        if self.band == "unknown":
            raise spec_error("unknown is the band of accounts that can't be judged", "choose another name")
        if self.band in BAND_ORDER and self.named not in (None, self.band):
            raise spec_error(f"{self.band} can't be {self.named}", "leave `is` out, or choose another name")
        if self.band not in BAND_ORDER and self.named is None:
            close = suggestion(self.band, BAND_ORDER, "docs/model.md")
            hint = f", or {close}" if close.startswith("did you mean") else ""
            choices = ", ".join(BAND_ORDER)
            raise spec_error(f"how bad is {self.band}?", f"add `is:` with one of {choices}{hint}")
        return self

    @property
    def severity(self) -> str:
        """How bad the band is: one of BAND_ORDER."""
        return self.named or self.band


def improving(bands: list[BandSpec]) -> list[BandSpec]:
    """Return bands that go from the worst up, each by a name of its own; raise an error for others."""
    rising(bands, "bands")
    order = [BAND_ORDER.index(band.severity) for band in bands]
    if order != sorted(order):
        raise spec_error("the bands do not improve", f"order them {', '.join(BAND_ORDER)}")
    names = [band.band for band in bands]
    if twice := [name for name in names if names.count(name) > 1]:
        raise spec_error(f"the band {twice[0]} is there twice", "give each band its own name")
    return bands


def falling_chance(points: list[list[float]]) -> list[list[float]]:
    """Return pairs of score and probability of which none rises with the score; raise an error for others."""
    if any(a[0] >= b[0] for a, b in pairwise(points)):
        raise spec_error("the scores do not rise", "order the pairs by score, each score once")
    if any(a[1] < b[1] for a, b in pairwise(points)):
        raise spec_error("the probability rises with the score", "lower it: a better score is no more risk")
    if not all(0 <= chance <= 1 for _, chance in points):
        raise spec_error("a probability beyond 0 to 1", "write 5 % as 0.05")
    return points


class HysteresisSpec(FileSpec):
    """Hysteresis: what keeps a score near the edge of a band from changing the band again and again."""

    margin: Number = Field(0.0, ge=0, description="A better band is entered this far above its edge.")
    better_for: Duration = Field(
        0, description="A better band is entered after the score was in it for so long."
    )
    worse_for: Duration = Field(
        0, description="A worse band is entered after the score was in it for so long."
    )
